import { endSignals } from '../end-signals.ts';

/** A command that takes long to end: it says that it was asked to, and goes on. */
const { signal } = endSignals(process);
signal.addEventListener('abort', () => process.stdout.write('asked to end\n'));
setInterval(() => {}, 1_000);
process.stdout.write('ready\n');
