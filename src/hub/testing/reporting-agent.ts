import { Readable } from 'node:stream';
import type { RecordingCounters } from '../../api/capture.ts';
import {
  type CountersLine,
  linkPaths,
  type ReportedRecording,
  type ReportLine,
} from '../../link/protocol.ts';
import {
  type AgentLink,
  type AgentRequest,
  type AgentResponse,
  AgentUnavailable,
} from '../agents/agent-link.ts';
import type { ReceiveReports } from '../agents/agent-reports.ts';

/** An agent whose link is not one of the network: what it says reaches a store at once. */
export type LinkedAgent = {
  readonly link: AgentLink;
  readonly report: (...lines: readonly ReportLine[]) => void;
  /** Sends `synced` too. */
  readonly reportAll: (...lines: readonly ReportLine[]) => void;
  readonly disconnect: () => void;
  /** The requests so far, as path and UID. */
  readonly requests: readonly string[];
};

export type LinkedAgentOptions = {
  readonly node?: string;
  readonly podUid?: string;
  /** Undefined: it never answers. */
  readonly counters?: (() => readonly CountersLine[]) | undefined;
};

let connections = 0;

/** Connects an agent to a store. */
export function linkAgent(receiveReports: ReceiveReports, options: LinkedAgentOptions = {}): LinkedAgent {
  const { node = 'node-1', podUid = `uid-of-${node}` } = options;
  const requests: string[] = [];
  const request = async ({ path, query = {}, signal }: AgentRequest): Promise<AgentResponse> => {
    requests.push(`${path} ${query['uid'] ?? ''}`.trimEnd());
    if (path !== linkPaths.counters) throw new AgentUnavailable('not in this test');
    const counters = 'counters' in options ? options.counters : () => [];
    if (!counters) return await neverAnswered(signal);
    const lines = counters().map((line) => Buffer.from(`${JSON.stringify(line)}\n`));
    return { status: 200, contentType: 'application/json', body: Readable.from(lines) };
  };
  connections += 1;
  const link = {
    node,
    podName: `podcap-${node}`,
    podUid,
    version: '1.2.3',
    connectedMs: connections,
    request,
  };
  const receiver = receiveReports(link);
  const report = (...lines: readonly ReportLine[]) => {
    for (const line of lines) receiver.receive(line, JSON.stringify(line).length);
  };
  return {
    link,
    requests,
    report,
    reportAll: (...lines) => report(...lines, { kind: 'synced' }),
    disconnect: receiver.disconnected,
  };
}

function neverAnswered(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(new AgentUnavailable('silent')), { once: true });
  return promise;
}

export type RecordingFields = Partial<Omit<ReportedRecording, 'status'>> & {
  readonly status?: Partial<ReportedRecording['status']>;
};

/** A report of a Pod of namespace shop; its UID is made of its name unless set. */
export function recordingLine(fields: RecordingFields = {}): ReportLine & { readonly kind: 'recording' } {
  const { namespace = 'shop', name = 'checkout', uid = uidOf(namespace, name), status, ...others } = fields;
  const recording: ReportedRecording = {
    namespace,
    name,
    uid,
    ...others,
    status: { ...capturing, ...status },
  };
  return { kind: 'recording', recording };
}

/** A report that nothing is left of the Pod that `recordingLine` reports. */
export function deletedLine(
  fields: Pick<RecordingFields, 'namespace' | 'name' | 'uid'> & { readonly deletedAt?: string } = {},
): ReportLine & { readonly kind: 'deleted' } {
  const { namespace = 'shop', name = 'checkout', uid = uidOf(namespace, name) } = fields;
  return { kind: 'deleted', namespace, name, uid, deletedAt: fields.deletedAt ?? new Date().toISOString() };
}

function uidOf(namespace: string, name: string): string {
  return namespace === 'shop' ? `uid-of-${name}` : `uid-of-${namespace}-${name}`;
}

const counters: RecordingCounters = { files: 1, bytes: 24, packets: 0 };
const capturing: ReportedRecording['status'] = {
  phase: 'Capturing',
  phaseSince: '2026-01-02T03:04:05.678Z',
  startTime: '2026-01-02T03:04:05.678Z',
  interfaces: ['eth0'],
  requestedBy: { kind: 'Annotation' },
  ...counters,
};
