import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pino } from 'pino';
import type { PodState } from '../../agent/observability/capture-states.ts';
import { openStateFile } from '../../agent/observability/state-file.ts';
import { type CaptureRecord, createRecord, noTotals } from '../../agent/storage/capture-records.ts';
import { folderName, ringFileBase, ringFileName } from '../../agent/storage/file-names.ts';
import { writePodEnd } from '../../agent/storage/pod-end.ts';
import type { PcapHeader } from '../../pcap/pcap-format.ts';
import { captureFile, type TestPacket } from '../../pcap/testing/capture-files.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { listCommand } from '../list.ts';
import { readCommand } from '../read.ts';

export const web = { namespace: 'default', pod: 'web', uid: '0d4f5a5e-4a4c-4d57-9c4c-1d8b6f0f8f10' };

/** The result of a command. */
export type CommandResult = {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
};

export type SceneFile = {
  readonly generation?: number;
  readonly index: number;
  readonly packets: readonly TestPacket[];
  readonly header?: PcapHeader;
};

/** A captures folder as the agent leaves it, and the commands to read it. */
export async function readScene() {
  const opened = new AsyncDisposableStack();
  const root = opened.use(await temporaryFolder());
  const pathOf = (pod = web) => join(root.path, folderName(pod));

  async function run(
    command: typeof readCommand,
    args: readonly string[],
    options: { readonly isTTY?: boolean; readonly columns?: number },
  ): Promise<CommandResult> {
    const stdout = Object.assign(new PassThrough(), options);
    const stderr = new PassThrough();
    const [outputs, errors] = [stdout, stderr].map((stream) => stream.toArray());
    const code = await command(args, { env: { PODCAP_CAPTURES_FOLDER: root.path }, stdout, stderr });
    stdout.end();
    stderr.end();
    return {
      code,
      stdout: Buffer.concat((await outputs) ?? []),
      stderr: Buffer.concat((await errors) ?? []).toString(),
    };
  }

  return {
    path: root.path,
    pathOf,
    read: (args: readonly string[], options = {}) => run(readCommand, args, options),
    list: (args: readonly string[], options = {}) => run(listCommand, args, options),
    async file({ generation = 1, index, ...content }: SceneFile, pod = web): Promise<void> {
      await mkdir(pathOf(pod), { recursive: true });
      const name = ringFileName(ringFileBase(pod.pod, generation), index);
      await writeFile(join(pathOf(pod), name), captureFile(content.packets, content.header));
    },
    async record(known: Partial<CaptureRecord>, pod = web): Promise<void> {
      await mkdir(pathOf(pod), { recursive: true });
      await createRecord(pathOf(pod), {
        version: 2,
        ...pod,
        generation: 1,
        agent: 'podcap-x',
        sandboxId: 'sandbox1',
        interface: 'eth0',
        fileMegabytes: 1,
        startTime: '2026-01-01T00:00:00.000Z',
        clock: { bootId: 'boot', startMs: 0, lastMs: 0 },
        totals: noTotals,
        forgotten: noTotals,
        ...known,
      });
    },
    /** The agent runs, and says this. */
    async agentSays(states: readonly PodState[]): Promise<void> {
      const log = pino({ level: 'silent' });
      opened.use(await openStateFile({ capturesFolder: root.path, states: () => states, log }));
    },
    async remove(pod = web): Promise<void> {
      await rm(pathOf(pod), { recursive: true });
    },
    async podEnd(pod = web): Promise<void> {
      await writePodEnd(pathOf(pod), { nowMs: () => 5, bootId: 'boot' }, 5);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Packets one millisecond apart, numbered from `from` on. */
export function packets(from: number, count: number): TestPacket[] {
  return Array.from({ length: count }, (_, i) => ({
    timeUs: 1_700_000_000_000_000 + (from + i) * 1_000,
    data: Buffer.from(`packet ${from + i}`),
  }));
}
