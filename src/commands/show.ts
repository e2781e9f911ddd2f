import { isSystemError } from '../base/fs-errors.ts';
import { parseFilter } from '../pcap/filter/filter.ts';
import type { Problem } from '../pcap/filter/matcher.ts';
import { showProblem } from '../pcap/filter/show-problem.ts';
import { isLoss, type PacketReader } from '../pcap/packet-reader.ts';
import { progressOn } from './progress.ts';
import { type ShowArguments, showArguments } from './show-arguments.ts';
import { type PacketLines, type ShowPackets, showPackets } from './show-packets.ts';
import { type Output, outputTo } from './standard-output.ts';
import {
  cannotRead,
  cannotWrite,
  exitCodes,
  fail,
  messageIndent,
  pausedUnreadSeconds,
  printMessage,
  printText,
  type Terminal,
  unreadMessage,
} from './terminal.ts';

/** What reads captures and understands packets. */
export type ShowParts = {
  /** Opens a file by its path, or `-`: standard input. Throws the errors of open(2) and read(2), as the reader does. */
  readonly openReader: (file: string) => Promise<OpenedReader>;
  /** Makes the decoder of one capture. */
  readonly decoder: () => Pick<PacketLines, 'decode'>;
  readonly lineOf: PacketLines['lineOf'];
};

export type OpenedReader =
  | { readonly kind: 'capture'; readonly reader: PacketReader }
  /** The message has the path. */
  | { readonly kind: 'not-capture'; readonly message: string };

export type ShowTerminal = Terminal & { readonly stdin: { readonly isTTY?: boolean } };

/** `podcap show`: prints the packets of a capture file, a line for each. Returns the exit code. */
export async function showCommand(
  args: readonly string[],
  terminal: ShowTerminal,
  parts: ShowParts,
): Promise<number> {
  const parsed = showArguments(args);
  switch (parsed.kind) {
    case 'help':
      return await printText(terminal, parsed.text);
    case 'invalid':
      return refuse(terminal, `${parsed.message}\nTry podcap show --help.`);
    case 'arguments':
      return await show(parsed.arguments, terminal, parts);
  }
}

/** Shows what was asked for. Returns the exit code. */
export async function show(
  { file, filter: text, count }: ShowArguments,
  terminal: ShowTerminal,
  { openReader, decoder, lineOf }: ShowParts,
): Promise<number> {
  const filter = parseFilter(text);
  if (filter.kind === 'invalid') return refuse(terminal, filterMessage(text, filter, terminal));
  if (file === '-' && terminal.stdin.isTTY === true)
    return refuse(terminal, 'standard input is a terminal: write a capture to it, as in ... | podcap show -');
  const opened = await attempt(() => openReader(file));
  if (opened.kind === 'failed') return fail(terminal, cannotRead(file, opened.error));
  if (opened.result.kind === 'not-capture') return fail(terminal, opened.result.message);
  await using reader = opened.result.reader;
  // The other end of `kubectl exec` may be gone without closing anything.
  using output = keepingError(outputTo(terminal.stdout, { unreadMs: pausedUnreadSeconds * 1_000 }));
  const { matches } = filter;
  const { decode } = decoder();
  return await showReader({ reader, decode, lineOf, matches, count, output }, file, terminal);
}

type FallibleOutput = Output & { readonly error: () => unknown };

/** An output whose error ends it as a closed pipe does, and is kept, so that it is no error of the input. */
function keepingError(output: Output): FallibleOutput {
  let kept: unknown;
  return {
    async write(bytes) {
      try {
        return await output.write(bytes);
      } catch (error) {
        kept = error;
        return 'closed';
      }
    },
    error: () => kept,
    [Symbol.dispose]: () => output[Symbol.dispose](),
  };
}

type ShowReader = ShowPackets & { readonly output: FallibleOutput };

async function showReader(options: ShowReader, file: string, terminal: Terminal): Promise<number> {
  const progress = progressOn(terminal, { dataTo: 'stdout' });
  const onRead = (packets: number) => progress.show(() => `${packets} packets`);
  const shown = await attempt(() => showPackets({ ...options, onRead }));
  progress.clear();
  const { damage } = options.reader;
  for (const { message } of damage) printMessage(terminal, message);
  if (shown.kind === 'failed') {
    printMessage(terminal, `${file} was not shown to its end: ${shown.error.message}`);
    return exitCodes.incomplete;
  }
  const { ended, packets, lines } = shown.result;
  const error = options.output.error();
  if (error !== undefined) return fail(terminal, cannotWrite('standard output', error));
  if (ended === 'unread') return fail(terminal, unreadMessage(pausedUnreadSeconds));
  if (ended === 'end' && lines === 0 && terminal.stderr.isTTY === true)
    printMessage(terminal, packets === 0 ? 'there is no packet' : `no packet of ${packets} matches`);
  return damage.some(isLoss) ? exitCodes.incomplete : exitCodes.done;
}

type Attempt<Result> =
  | { readonly kind: 'done'; readonly result: Result }
  | { readonly kind: 'failed'; readonly error: Error };

/** Errors of the operating system are for people to read; others are thrown. */
async function attempt<Result>(action: () => Promise<Result>): Promise<Attempt<Result>> {
  try {
    return { kind: 'done', result: await action() };
  } catch (error) {
    if (isSystemError(error)) return { kind: 'failed', error };
    throw error;
  }
}

function filterMessage(text: string, problem: Problem, { stderr: { isTTY, columns } }: Terminal): string {
  const width = isTTY === true ? (columns || 80) - messageIndent.length : Infinity;
  return `the filter is wrong:\n${showProblem(text, problem, width)}`;
}

function refuse(terminal: Terminal, message: string): number {
  printMessage(terminal, message);
  return exitCodes.usage;
}
