import { plainText } from '../../base/plain-text.ts';
import { printMessage } from '../../commands/terminal.ts';
import { timeForms } from '../../pcap/time-argument.ts';
import { acceptedPaths } from '../api/api-paths.ts';
import { openCaptureStream } from '../api/open-capture-stream.ts';
import type { Targets } from '../api/targets.ts';
import type { CliCommand, CommandContext, GivenArguments } from '../cli-command.ts';
import { wrongUsage } from '../given-arguments.ts';
import { openCluster } from '../kubectl/open-cluster.ts';
import { targetArguments, targetUsage } from '../target-arguments.ts';
import { findSources } from './find-sources.ts';
import { saveArguments } from './save-arguments.ts';
import { saveRecordings } from './save-recordings.ts';
import { savedFileName } from './saved-file-name.ts';

export const saveCommand: CliCommand = {
  name: 'save',
  summary: 'save what is recorded of Pods to a file',
  usage: `${targetUsage} [options]`,
  description: `Downloads the recordings of one or more Pods, also of Pods that are gone, and
merges them into one file in the order of their packets' times. In pcapng,
each packet has the name of its Pod (frame.interface_name in Wireshark).

Each download is checked with its digest. One that is cut starts over. The
file has its name only when it is complete; until then it is FILE.part, and
the downloads take as much space again in the same folder. With --to - or a
pipe, they are kept in the folder TMPDIR, by default /tmp, which can be in
memory. What is missing is said at the end and in the file: dropped packets,
Pods that could not be downloaded, Nodes that did not answer. If the download
lacks anything, the exit code is 3.`,
  options: [
    { name: 'selector', short: 'l', value: 'SELECTOR', description: 'recordings of Pods with these labels' },
    {
      name: 'to',
      value: 'FILE',
      description: 'where to write; - is standard output. Default: POD-TIME.pcapng',
    },
    { name: 'overwrite', description: 'replace FILE if it is there' },
    {
      name: 'format',
      value: 'FORMAT',
      choices: ['pcapng', 'pcap'],
      description: 'pcapng (default); or pcap, which has no names and one link type',
    },
    { name: 'since', value: 'TIME', description: `leave out packets before this time: ${timeForms}` },
    { name: 'until', value: 'TIME', description: 'leave out packets from this time on' },
    {
      name: 'frozen',
      value: 'NUMBER',
      description: 'the frozen ring with this number, or all: every frozen ring and the ring itself',
    },
    { name: 'previous', description: 'of the Pod that had the name before' },
    {
      name: 'side',
      value: 'SIDE',
      choices: ['client', 'server'],
      description:
        'where both ends of a conversation were recorded, keep one: otherwise both are kept, and look like retransmissions',
    },
    { name: 'names', description: "name the Pods' addresses, for Wireshark (-N n)" },
  ],
  examples: [
    { purpose: 'Save what is recorded of a Pod', command: 'kubectl podcap save web-0' },
    {
      purpose: 'Save the last ten minutes of all Pods of a Deployment, in one file',
      command: 'kubectl podcap save deploy/web --since 10m --to web.pcapng',
    },
    {
      purpose: 'Look at both ends of a conversation in Wireshark, each packet once',
      command: 'kubectl podcap save web-0 db-0 --side client --to - | wireshark -k -i -',
    },
  ],
  positionals: 'captures',
  run: save,
};

async function save(given: GivenArguments, { terminal, kubectl, signal }: CommandContext): Promise<number> {
  const nowMs = Date.now();
  const asked = saveArguments(given, nowMs);
  const targets = targetArguments(given);
  if (asked.to === '-' && terminal.stdout.isTTY === true)
    throw wrongUsage('a capture file cannot be shown on a terminal: redirect the output, or use --to FILE');
  await using cluster = await openCluster(kubectl, pathsOf(targets), signal);
  const { sources, warnings, notes } = await findSources(cluster, targets, { asked, signal });
  const to = asked.to ?? savedFileName(fileNameOf(targets, cluster.namespace), asked.format, nowMs);
  const code = await saveRecordings({
    options: asked,
    to,
    sources,
    warnings,
    open: (request, opening) => openCaptureStream(cluster, request, opening),
    context: { terminal, signal },
  });
  for (const note of notes) printMessage(terminal, plainText(note));
  return code;
}

/** No more than the targets need. */
function pathsOf({ kind }: Targets): readonly string[] {
  const { capture, captures, workloads, pods, recordings } = acceptedPaths;
  switch (kind) {
    case 'pods':
      return [capture, recordings];
    case 'selector':
      return [captures, pods, recordings];
    case 'workload':
      return [captures, workloads, pods, recordings];
  }
}

function fileNameOf(targets: Targets, namespace: string): string {
  if (targets.kind === 'workload') return targets.name;
  const [first, ...others] = targets.kind === 'pods' ? targets.names : [];
  return first !== undefined && others.length === 0 ? first : namespace;
}
