import { onAbort } from '../../../base/on-abort.ts';
import { networkUidOf, type Pod } from '../../../kubernetes/pod.ts';
import type { CaptureInterface } from '../../../pcap/capture-interface.ts';
import { linkTypeName } from '../../../pcap/link-type-name.ts';
import { openCaptureStream as readCapture } from '../../../pcap/read/capture-reader.ts';
import { captureWriter } from '../../../pcap/write/capture-writer.ts';
import type { LinkRequest } from '../../link/link-handler.ts';
import type { Network } from '../../netns/cni-entry.ts';
import { invalidFilter } from '../../planner/refusals.ts';
import { acceptsFrames, type CaptureStream, openCaptureStream as openStream } from '../capture-stream.ts';
import { keepAliveBlock } from '../keep-alive-block.ts';
import type { RunningTap, TappedInterface } from './run-tap.ts';
import { withoutHubs } from './tap-filter.ts';
import { tapPackets } from './tap-packets.ts';
import { refusal, type TapRefusal, type TapRequest } from './tap-request.ts';
import { hasPodEnded, listedTarget, ownPod } from './tap-target.ts';
import { startTapTcpdump, type TapTcpdump, tapRingKib } from './tap-tcpdump.ts';
import type { TapsOptions } from './taps.ts';

/** A tap whose head has been sent. Disposing of it ends its processes. */
export type OpenedTap = AsyncDisposable &
  Omit<RunningTap, 'stopping'> & {
    readonly kind: 'opened';
    /** What it is about, for the log. */
    readonly names: TapNames;
  };

type TapNames = { readonly namespace: string; readonly pod: string; readonly uid: string };

type OpenTapOptions = Omit<TapsOptions, 'maxTaps' | 'signal'> & { readonly request: LinkRequest };

const startWithinMs = 10_000;
const startWithin = () => AbortSignal.timeout(startWithinMs);
/** How much waits for a reader before packets are dropped. */
const mostPendingBytes = 4 * 1024 * 1024;
/** A tap has up to 4 readers; a longer packet makes its buffer larger. */
const readBufferBytes = 64 * 1024;

/** Starts what the viewer asks for, or says why not, in which case nothing runs. */
export async function openTap(tap: TapRequest, options: OpenTapOptions): Promise<OpenedTap | TapRefusal> {
  const target = await findTarget(tap, options);
  if (target.kind === 'refused') return target;
  const { pod, network } = target;
  const problem = await filterProblem(tap.filter, options);
  if (problem) return problem;
  const filter = withoutHubs(tap.filter, [options.request.hub, ...options.hubs()]);
  await using opening = new AsyncDisposableStack();
  const tcpdumps = tap.interfaces.map((name) => {
    const { spawner } = options;
    const { snaplen } = tap;
    const ringKib = Math.floor(tapRingKib / tap.interfaces.length);
    const { netns } = network;
    return opening.use(startTapTcpdump({ spawner, netns, interface: name, filter, snaplen, ringKib }));
  });
  const interfaces = await openInterfaces(tap, tcpdumps, options);
  if ('kind' in interfaces) return interfaces;
  for (const { reader } of interfaces) opening.use(reader);
  const unfit = formatProblem(tap.format, interfaces);
  if (unfit) return unfit;
  const { request } = options;
  const stream = opening.use(
    openStream({
      stream: request.stream,
      signal: request.signal,
      isFrames: acceptsFrames(request.headers.accept),
      ...(tap.format === 'pcapng' && { keepAlive: () => keepAliveBlock() }),
    }),
  );
  return startSending({ tap, pod, network, filter, interfaces, stream }, opening.move(), options);
}

async function findTarget(
  tap: TapRequest,
  { networks, hubs, request, ...known }: OpenTapOptions,
): Promise<{ readonly kind: 'target'; readonly pod: Pod; readonly network: Network } | TapRefusal> {
  const target = listedTarget(tap, known);
  if (target.kind === 'refused') return target;
  const { pod } = target;
  const inNetwork = { namespace: pod.namespace, name: pod.name, uid: networkUidOf(pod) };
  const network = await networks.find(inNetwork);
  if (!network) {
    return refusal(409, 'NoNetwork', `the Pod has no network on this Node: ${networks.absence(inNetwork)}`);
  }
  if ([request.hub, ...hubs()].some(({ address }) => network.addresses.includes(address))) return ownPod;
  return { kind: 'target', pod, network };
}

async function filterProblem(
  filter: string | undefined,
  { checkFilter, request }: OpenTapOptions,
): Promise<TapRefusal | undefined> {
  if (filter === undefined) return undefined;
  const check = await checkFilter(filter, request.signal);
  if (check.kind === 'accepted') return undefined;
  if (check.kind === 'failed') {
    return refusal(503, 'FilterUnchecked', `the filter could not be checked: ${check.problem}`);
  }
  const { reason, message } = invalidFilter('filter', filter, check.problem);
  return refusal(400, reason, message);
}

/** All at once and with one deadline: the hub does not wait longer for four interfaces than for one. */
async function openInterfaces(
  tap: TapRequest,
  tcpdumps: readonly TapTcpdump[],
  { request, startDeadline = startWithin }: OpenTapOptions,
): Promise<readonly TappedInterface[] | TapRefusal> {
  const deadline = startDeadline();
  const refused = new AbortController();
  const signal = AbortSignal.any([request.signal, deadline, refused.signal]);
  let first: TapRefusal | undefined;
  const opened = await Promise.all(
    tcpdumps.map(async (tcpdump, at) => {
      const opening = { name: tap.interfaces[at] ?? '', filter: tap.filter, signal, deadline };
      const tapped = await openInterface(opening, tcpdump);
      if (!('kind' in tapped)) return [tapped];
      // The others end because of this one.
      first ??= tapped;
      refused.abort();
      return [];
    }),
  );
  const interfaces = opened.flat();
  if (!first) return interfaces;
  for (const { reader } of interfaces) await reader[Symbol.asyncDispose]();
  return first;
}

type Opening = {
  readonly name: string;
  /** The viewer's own. */
  readonly filter: string | undefined;
  /** Whatever is awaited comes to its end then. */
  readonly signal: AbortSignal;
  readonly deadline: AbortSignal;
};

async function openInterface(opening: Opening, tcpdump: TapTcpdump): Promise<TappedInterface | TapRefusal> {
  const { name, signal, deadline } = opening;
  using _limit = onAbort(signal, () => void tcpdump.stop());
  const started = await tcpdump.started;
  const stream = await tcpdump.stream;
  const opened =
    started === 'listening' && stream && (await readCapture(stream, { name, bufferBytes: readBufferBytes }));
  const reader = opened && opened.kind === 'capture' ? opened.reader : undefined;
  const link = reader?.interfaces[0];
  if (reader && link) return { name, tcpdump, reader, link };
  await reader?.[Symbol.asyncDispose]();
  if (deadline.aborted) {
    return refusal(503, 'CaptureFailed', `tcpdump did not start within ${startWithinMs / 1_000} s`);
  }
  return await refusalOf(opening, tcpdump);
}

async function refusalOf(
  { name, filter }: Pick<Opening, 'name' | 'filter'>,
  tcpdump: TapTcpdump,
): Promise<TapRefusal> {
  const { isNoSuchDevice, message } = await tcpdump.stop();
  if (isNoSuchDevice) return refusal(400, 'NoSuchInterface', `the Pod has no interface ${name}`);
  // What was compiled for every link type can still be wrong for this one.
  return refusal(filter === undefined ? 503 : 400, 'CaptureFailed', message);
}

type TapParts = {
  readonly tap: TapRequest;
  readonly pod: Pod;
  readonly network: Network;
  readonly filter: string | undefined;
  readonly interfaces: readonly TappedInterface[];
  readonly stream: CaptureStream;
};

/** Sends what describes the interfaces: a viewer sees that the tap runs before the first packet. */
function startSending(parts: TapParts, opened: AsyncDisposable, options: OpenTapOptions): OpenedTap {
  const { tap, pod, interfaces, stream } = parts;
  const { pods, nodeName } = options;
  const { promise: countReached, resolve: onCount } = Promise.withResolvers<void>();
  const writer = captureWriter(tap.format);
  const packets = tapPackets({ writer, stream, mostPendingBytes, count: tap.count, onCount });
  for (const tapped of interfaces) packets.addInterface(described(tapped, parts, nodeName));
  // The header of a pcap file is written with what follows.
  if (tap.format === 'pcap') packets.statistics();
  packets.flush();
  return {
    kind: 'opened',
    names: { namespace: pod.namespace, pod: pod.name, uid: pod.uid },
    interfaces,
    packets,
    stream,
    durationMs: tap.durationMs,
    hasPodEnded: () => hasPodEnded(pod.uid, pods() ?? new Map()),
    countReached,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** As in recordings (storage/recording-interfaces.ts). */
function described(
  { name, link }: TappedInterface,
  { tap, pod, network, filter }: TapParts,
  nodeName: string,
): CaptureInterface {
  const { snaplen } = tap;
  return {
    ...link,
    name: `${pod.namespace}/${pod.name}/${name}`,
    description: `Node ${nodeName}, Pod UID ${pod.uid}`,
    filter,
    comment: snaplen === undefined ? undefined : `only the first ${snaplen} bytes of each packet were kept`,
    ...(network.addresses.length > 0 && { addresses: network.addresses }),
  };
}

/** Undefined unless the format has no place for what these interfaces have. */
function formatProblem(
  format: TapRequest['format'],
  interfaces: readonly TappedInterface[],
): TapRefusal | undefined {
  const names = new Set(interfaces.map(({ link }) => linkTypeName(link.linkType)));
  if (format === 'pcapng' || names.size <= 1) return undefined;
  const message = `pcap has one link type for all packets, but these interfaces have ${[...names].join(' and ')}: ask for pcapng`;
  return refusal(400, 'LinkTypesDiffer', message);
}
