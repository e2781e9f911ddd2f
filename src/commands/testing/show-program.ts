import { showCommand } from '../show.ts';
import { readerOf, showParts } from './show-scene.ts';

function* endlessly(): Generator<string> {
  while (true) yield 'one of very many packets';
}

const reader = readerOf({ packets: endlessly() });
process.exit(
  await showCommand(
    process.argv.slice(2),
    process,
    showParts(async () => ({ kind: 'capture', reader })),
  ),
);
