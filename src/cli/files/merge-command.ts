import { merge } from '../../commands/merge.ts';
import { checkMergeArguments, slowAfterMs } from '../../commands/merge-arguments.ts';
import { timeForms } from '../../pcap/time-argument.ts';
import type { CliCommand } from '../cli-command.ts';
import { wrongUsage } from '../given-arguments.ts';
import { givenValues, unlessInterrupted } from './given-values.ts';

export const mergeCommand: CliCommand = {
  name: 'merge',
  summary: 'merge capture files in time order',
  usage: 'FILE... --to FILE [options]',
  description: `Merges capture files (pcap or pcapng) into one, in the order of their packets'
times. Each packet keeps its time, its length and, within its file, its place.
In pcapng, each packet keeps its interface (frame.interface_name in
Wireshark).

A file is read as far as it can be; if packets are missing, the exit code is
3. The output has its name only when it is complete. A file can be - for
standard input, or a pipe; the others do not wait for a pipe that sends
nothing for ${slowAfterMs / 1_000} s.`,
  options: [
    { name: 'to', value: 'FILE', description: 'where to write; - is standard output' },
    {
      name: 'format',
      value: 'FORMAT',
      choices: ['pcapng', 'pcap'],
      description: 'pcapng (default); or pcap, which has no interfaces and one link type',
    },
    {
      name: 'side',
      value: 'SIDE',
      choices: ['client', 'server'],
      description:
        'where both ends of a conversation were captured, keep one: otherwise both are kept, and look like retransmissions',
    },
    {
      name: 'names',
      description:
        "name the Pods' addresses, for Wireshark (-N n); editcap 4.0 and mergecap 4.0 fail on such files",
    },
    { name: 'since', value: 'TIME', description: `leave out packets before this time: ${timeForms}` },
    { name: 'until', value: 'TIME', description: 'leave out packets from this time on' },
    {
      name: 'wait-seconds',
      value: 'NUMBER',
      description: 'when only pipes are left, give up if they send nothing for so long; default 60',
    },
  ],
  examples: [
    { purpose: 'Merge two captures', command: 'kubectl podcap merge web.pcapng db.pcapng --to both.pcapng' },
    {
      purpose: 'Look at several in Wireshark, without a file',
      command: 'kubectl podcap merge *.pcapng --to - | wireshark -k -i -',
    },
    {
      purpose: 'Cut out ten minutes',
      command:
        'kubectl podcap merge web.pcapng --since 2026-11-30T12:00:00Z --until 2026-11-30T12:10:00Z --to part.pcapng',
    },
  ],
  positionals: 'files',
  async run(given, { terminal, signal }) {
    const checked = checkMergeArguments(givenValues(given), Date.now());
    if (checked.kind === 'invalid') throw wrongUsage(checked.message);
    return await unlessInterrupted(merge(checked.arguments, terminal), signal);
  },
};
