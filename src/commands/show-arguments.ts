import { filterHelp } from '../pcap/filter/filter-help.ts';
import {
  type CommandLine,
  invalidArguments,
  type ParsedArguments,
  parseCommandLine,
} from './command-line.ts';

/** The command line of `podcap show`, parsed. */
export type ShowArguments = {
  /** A path, or `-` for standard input. */
  readonly file: string;
  /** As it was written; empty: every packet. */
  readonly filter: string;
  /** How many lines to print at most. */
  readonly count: number;
};

const helpColumns = 100;

/** Made when it is asked for: the page has the same terms. */
const showHelp = () => `Usage: podcap show <file> [options]

Prints the packets of a capture file (pcap or pcapng), a line for each, with the time in UTC:

  podcap show web.pcapng --filter 'tcp port 80 and (syn or rst)'
  kubectl exec -n kube-system <agent> -- podcap read default/web | podcap show -

A file that is damaged or cut is shown as far as it can be read; then the exit code is 3.

Options:
  --filter <expression>  print only the packets that match
  -c, --count <number>   end after this many lines
  -h, --help             print this help

The terms of a filter, which is best written in single quotes; the last four combine others:
${filterHelp(helpColumns)}`;

const maxCount = 1_000_000_000_000;

/** Parses the command line of `podcap show`. The filter is not parsed. */
export function showArguments(args: readonly string[]): ParsedArguments<ShowArguments> {
  const parsed = parseCommandLine(args, {
    filter: { type: 'string' },
    count: { type: 'string', short: 'c' },
  });
  if (parsed.kind === 'invalid') return parsed;
  if (parsed.values['help'] === true) return { kind: 'help', text: showHelp() };
  return checkShowArguments(parsed);
}

/** Checks what was given, whatever split the command line. The filter is not parsed. */
export function checkShowArguments({
  values,
  positionals,
}: Pick<CommandLine, 'values' | 'positionals'>): Exclude<
  ParsedArguments<ShowArguments>,
  { readonly kind: 'help' }
> {
  const [file, ...more] = positionals;
  if (file === undefined || file === '')
    return invalidArguments('a capture file is required, or - for standard input');
  if (more.length > 0)
    return invalidArguments(
      `only one file can be shown, and a filter is one argument after --filter: ${JSON.stringify(more.join(' '))}`,
    );
  const { filter, count } = values;
  if (typeof count === 'string' && !(/^[0-9]{1,15}$/.test(count) && isCount(Number(count))))
    return invalidArguments(`--count must be a whole number of lines, not ${JSON.stringify(count)}`);
  return {
    kind: 'arguments',
    arguments: {
      file,
      filter: typeof filter === 'string' ? filter : '',
      count: typeof count === 'string' ? Number(count) : Infinity,
    },
  };
}

function isCount(count: number): boolean {
  return count >= 1 && count <= maxCount;
}
