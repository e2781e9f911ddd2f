import type { RecordingGeneration } from '../agent/storage/recordings.ts';
import { type GenerationSource, openSnapshot, type Snapshot } from '../agent/storage/snapshot.ts';
import { commonHeader, join } from '../pcap/join.ts';
import { findOverlap } from '../pcap/overlap.ts';
import { choose, describe, recordingsIn } from './find-recording.ts';
import { type ReadArguments, readArguments } from './read-arguments.ts';
import { outputTo } from './standard-output.ts';
import { exitCodes, say, type Terminal } from './terminal.ts';

/** `podcap read`: one Pod's packets as one capture file on standard output. Gives back the exit code. */
export async function readCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = readArguments(args, terminal.env);
  switch (parsed.kind) {
    case 'help':
      terminal.stdout.write(parsed.text);
      return exitCodes.done;
    case 'invalid':
      say(terminal, `${parsed.message}\nTry podcap read --help.`);
      return exitCodes.usage;
    case 'arguments':
      if (terminal.stdout.isTTY === true) {
        say(
          terminal,
          'a capture file is nothing for a terminal: redirect it, as in podcap read ... > web.pcap',
        );
        return exitCodes.usage;
      }
      return await readPod(parsed.arguments, terminal);
  }
}

async function readPod(options: ReadArguments, terminal: Terminal): Promise<number> {
  const captures = await recordingsIn(options.capturesFolder);
  const found =
    'message' in captures ? { kind: 'not-found' as const, ...captures } : choose(captures, options.pod);
  if (found.kind === 'not-found') return fail(terminal, found.message);
  const { capture, others } = found;
  if (others.length > 0)
    say(terminal, ['the last of several Pods of that name:', capture, ...others].map(line).join('\n'));

  const { generation } = options;
  const generations = capture.generations.filter(
    ({ number }) => generation === undefined || number === generation,
  );
  if (generations.length === 0)
    return fail(terminal, `no generation ${generation}, but ${numbers(capture.generations)}`);
  await using snapshot = await openSnapshot(generations);
  return await write(snapshot, terminal);
}

async function write({ sources, notes }: Snapshot, terminal: Terminal): Promise<number> {
  for (const note of notes) say(terminal, note);
  if (sources.length === 0) return fail(terminal, 'no capture file is there yet');
  const header = commonHeader(sources);
  if (!header) return fail(terminal, differentLinkTypes(sources));
  const overlap = await findOverlap(sources);
  const output = outputTo(terminal.stdout);
  for await (const bytes of join({
    sources,
    overlap,
    header,
    onDamage: (message) => say(terminal, message),
  }))
    if (!(await output.write(bytes))) break;
  return exitCodes.done;
}

function differentLinkTypes(sources: readonly GenerationSource[]): string {
  const types = sources.map(
    ({ generation, header }) => `  --generation ${generation}  link type ${header.linkType}`,
  );
  return ['one capture file has one link type, but these differ:', ...types].join('\n');
}

function numbers(generations: readonly RecordingGeneration[]): string {
  return generations.length === 0 ? 'none' : generations.map(({ number }) => number).join(', ');
}

function line(text: Parameters<typeof describe>[0] | string): string {
  return typeof text === 'string' ? text : `  ${describe(text)}`;
}

function fail(terminal: Terminal, message: string): number {
  say(terminal, message);
  return exitCodes.failed;
}
