import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { ClientHttp2Stream } from 'node:http2';
import { pino } from 'pino';
import { frameHeaderBytes, framesMediaType } from '../../../../api/stream-frames.ts';
import type { Pod } from '../../../../kubernetes/pod.ts';
import { completeAnswerTrailer, linkPaths } from '../../../../link/protocol.ts';
import { readBytes } from '../../../../pcap/testing/read-capture.ts';
import { datagramNumber } from '../../../../testbed/datagrams.ts';
import { udpPayload } from '../../../../testbed/udp-datagram.ts';
import { type VethTestbed, vethTestbed } from '../../../../testbed/veth-testbed.ts';
import { filterChecks } from '../../../capture/filter-check.ts';
import type { HubAddress } from '../../../link/link-handler.ts';
import { podWith } from '../../../testing/fixtures.ts';
import { testSpawner } from '../../../testing/tcpdump-fixtures.ts';
import { linkScene, type ReadFrames, readFrames } from '../../testing/link-scene.ts';
import { openTaps, type Taps } from '../taps.ts';

/** An agent's taps of one Pod, `default/web`, behind an HTTP/2 connection as the hub has it. */
export type TapScene = AsyncDisposable & {
  readonly testbed: VethTestbed;
  readonly taps: Taps;
  /** What tcpdumps have said of interfaces on which they capture. */
  readonly listening: () => readonly string[];
  /** The Pods of the Node, by UID. */
  readonly pods: Map<string, Pod>;
  readonly open: (query?: Readonly<Record<string, string>>, options?: OpenOptions) => Promise<TapAnswer>;
  /** Ends the connection, as the death of a hub does. */
  readonly cut: () => void;
};

type OpenOptions = {
  readonly accept?: string;
  /** Takes nothing until `read` is called. */
  readonly isPaused?: boolean;
};

export type TapAnswer = {
  readonly status: number;
  readonly stream: ClientHttp2Stream;
  /** What has arrived by now. */
  readonly bytes: () => Buffer;
  /** Reads to the end; `isComplete`: the agent said that nothing is missing. */
  readonly rest: () => Promise<{ readonly bytes: Buffer; readonly isComplete: boolean }>;
};

export const inFrames: OpenOptions = { accept: framesMediaType };

type TapSceneOptions = {
  readonly maxTaps?: number;
  readonly hubs?: readonly HubAddress[];
  readonly pod?: Pod;
  readonly startDeadline?: () => AbortSignal;
  /** Interfaces on which a program runs that never says that it captures. */
  readonly hanging?: readonly string[];
};

export async function tapScene({
  maxTaps = 16,
  hubs = [],
  pod = podWith(),
  startDeadline,
  hanging = [],
}: TapSceneOptions = {}): Promise<TapScene> {
  await using opening = new AsyncDisposableStack();
  const testbed = opening.use(await vethTestbed());
  const spawner = opening.use(await testSpawner());
  const pods = new Map([[pod.uid, pod]]);
  const listening: string[] = [];
  const { netns, addresses } = testbed;
  const taps = opening.use(
    openTaps({
      spawner: {
        startStreaming(command) {
          const isHanging = hanging.some((name) => command.argv.includes(name));
          return spawner.startStreaming({
            ...command,
            ...(isHanging && { argv: ['sleep', '600'] }),
            onLine(line) {
              command.onLine(line);
              if (/listening on/.test(line)) listening.push(line);
            },
          });
        },
      },
      ...(startDeadline && { startDeadline }),
      networks: {
        find: async () => ({ sandboxId: 'sandbox', netns, addresses: [addresses.pod] }),
        absence: () => 'it has none',
      },
      pods: () => pods,
      checkFilter: filterChecks({ userId: 10_001, atOnce: 2 }),
      hubs: () => hubs,
      own: { namespace: 'kube-system' },
      nodeName: 'node1',
      maxTaps,
      log: pino({ level: 'silent' }),
      signal: new AbortController().signal,
    }),
  );
  const link = opening.use(await linkScene(taps.handle));
  const scene = opening.move();
  return {
    testbed,
    taps,
    listening: () => listening,
    pods,
    async open(query = {}, options = {}) {
      const parameters = new URLSearchParams({ namespace: 'default', name: 'web', ...query });
      const path = `${linkPaths.tap}?${parameters.toString()}`;
      return await answerOf(link.request(path, { accept: options.accept ?? '*/*' }), options);
    },
    cut: () => link.session.destroy(),
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

/** The numbers of the numbered datagrams in a capture, as far as it has arrived. */
export async function numbersIn(bytes: Uint8Array): Promise<readonly number[]> {
  const { packets, damage } = await readBytes(bytes);
  if (damage.some(({ kind }) => kind === 'corrupt'))
    throw new Error(damage.map(({ message }) => message).join('; '));
  return packets.flatMap(({ data }) => {
    const datagram = udpPayload(Buffer.from(data, 'latin1'), 1);
    const number = datagram && datagramNumber(datagram.payload);
    return number ?? [];
  });
}

/** The frames that have arrived as a whole. */
export function wholeFrames(bytes: Buffer): ReadFrames {
  let at = 0;
  while (at + frameHeaderBytes <= bytes.length) {
    const next = at + frameHeaderBytes + bytes.readUInt32BE(at + 1);
    if (next > bytes.length) break;
    at = next;
  }
  return readFrames(bytes.subarray(0, at));
}

/** The tcpdumps in the Pod's network: senders run there, too. */
export async function tcpdumpsOf({ processes }: VethTestbed): Promise<readonly number[]> {
  const named = (await processes()).map(async (pid) => {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
    return name === 'tcpdump\n' ? [pid] : [];
  });
  return (await Promise.all(named)).flat();
}

async function answerOf(stream: ClientHttp2Stream, { isPaused = false }: OpenOptions): Promise<TapAnswer> {
  const chunks: Buffer[] = [];
  let isComplete = false;
  stream.on('trailers', (trailers) => (isComplete = completeAnswerTrailer in trailers));
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  const [headers] = await once(stream, 'response');
  const read = () => stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!isPaused) read();
  return {
    status: Number(headers[':status']),
    stream,
    bytes: () => Buffer.concat(chunks),
    async rest() {
      if (isPaused) read();
      await closed;
      return { bytes: Buffer.concat(chunks), isComplete };
    },
  };
}
