import { show } from '../../commands/show.ts';
import { checkShowArguments } from '../../commands/show-arguments.ts';
import { showParts } from '../../commands/show-parts.ts';
import { filterHelp } from '../../pcap/filter/filter-help.ts';
import type { CliCommand } from '../cli-command.ts';
import { wrongUsage } from '../given-arguments.ts';
import { givenValues, unlessInterrupted } from './given-values.ts';

export const showCommand: CliCommand = {
  name: 'show',
  summary: 'print the packets of a capture file',
  usage: 'FILE [options]',
  get description() {
    return `Prints the packets of a capture file (pcap or pcapng), a line for each, with
the time in UTC. FILE can be - for standard input. A file that is damaged or
cut is shown as far as it can be read; then the exit code is 3.

The terms of --filter; the last four combine others:

${filterHelp(descriptionColumns)}`;
  },
  options: [
    { name: 'filter', value: 'EXPRESSION', description: 'print only the packets that match' },
    { name: 'count', short: 'c', value: 'NUMBER', description: 'end after this many lines' },
  ],
  examples: [
    { purpose: 'Print all packets', command: 'kubectl podcap show web.pcapng' },
    {
      purpose: 'See which connections begin, and which are refused',
      command: "kubectl podcap show web.pcapng --filter 'tcp port 80 and (syn or rst)'",
    },
    {
      purpose: 'Look for a text in what was sent',
      command: `kubectl podcap show web.pcapng --filter '"GET /login"' --count 20`,
    },
  ],
  positionals: 'files',
  async run(given, { terminal, signal }) {
    const checked = checkShowArguments(givenValues(given));
    if (checked.kind === 'invalid') throw wrongUsage(checked.message);
    return await unlessInterrupted(show(checked.arguments, terminal, showParts(terminal.stdin)), signal);
  },
};

const descriptionColumns = 78;
