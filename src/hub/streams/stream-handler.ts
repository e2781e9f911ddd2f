import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Access } from '../access/access.ts';
import type { AuditedStream, AuditLog } from '../access/audit.ts';
import { boundedUser } from '../access/bounded-user.ts';
import type { StatusError } from '../api/status-error.ts';
import type { Subresource, SubresourceHandler, SubresourceRequest } from '../api/subresource-handler.ts';
import { findRecording, findTap, type SourceOrigins, type StreamSource } from './find-source.ts';
import { permissionLost } from './permission.ts';
import { relay } from './relay.ts';
import { searches } from './searches.ts';
import { streamErrors } from './stream-errors.ts';
import type { StreamEvents } from './stream-events.ts';
import { type StreamBounds, streamLimits } from './stream-limits.ts';
import { streamParameters } from './stream-parameters.ts';

export type StreamHandlerOptions = SourceOrigins & {
  readonly authorize: Access['authorize'];
  readonly audit: AuditLog;
  readonly events: StreamEvents;
  readonly bounds: StreamBounds;
  readonly timing?: Partial<StreamHandlerTiming>;
};

export type StreamHandlerTiming = {
  /** How long a client may take nothing while bytes wait for it. */
  readonly stallMs: number;
  readonly authorizeEveryMs: number;
  readonly uncheckedMs: number;
};

const defaultTiming: StreamHandlerTiming = {
  stallMs: 15_000,
  authorizeEveryMs: 60_000,
  uncheckedMs: 300_000,
};

/** The verbs of podcap.dev that the subresources need, besides `get` of the subresource, which the API server checks. */
const verbs = { log: 'download', attach: 'tap' } as const satisfies Record<Subresource, string>;

/**
 * Answers captures/log and captures/attach with the bytes of an agent. Each stream is authorized, again every minute while
 * it lasts, counted, and audited at its start and at its end, or where it is refused. Only a stream whose source has said
 * that it is complete ends; any other is cut.
 */
export function streamHandler(options: StreamHandlerOptions): SubresourceHandler {
  const limits = streamLimits(options.bounds);
  const { begin } = searches();
  const { authorize, audit, events, bounds } = options;
  const timing = { ...defaultTiming, ...options.timing };

  async function serve(stream: StreamContext): Promise<StatusError | undefined> {
    const { request, audited, startMs } = stream;
    const { subresource, capture, accept, signal } = request;
    const parameters = streamParameters(subresource, request.query);
    if (parameters.kind === 'error') return parameters;
    const denied = await authorize(request.caller, { ...capture, verb: audited.verb }, signal);
    if (denied) return denied;
    const user = boundedUser(request.caller);
    const place = limits.open(user);
    if (place.kind === 'refused') return streamErrors.tooMany(place.bound, bounds);
    try {
      const mayAskAll = () => begin(user);
      const wanted = { capture, parameters: parameters.values, accept, user, mayAskAll, signal };
      const source = await (subresource === 'log' ? findRecording : findTap)(options, wanted);
      if (source.kind === 'error') return source;
      events.opened(subresource, (performance.now() - startMs) / 1_000);
      await send(source, stream);
    } finally {
      place[Symbol.dispose]();
    }
    return undefined;
  }

  async function send(source: StreamSource, { request, response, audited }: StreamContext): Promise<void> {
    const { caller, capture, subresource, signal, cut } = request;
    const { node, recording } = source;
    const stream = { ...audited, recording, node };
    const startMs = performance.now();
    const ended = new AbortController();
    const revoked = new AbortController();
    audit({ ...stream, event: 'StreamStarted' });
    response.writeHead(200, { ...headers, 'content-type': source.response.contentType }).flushHeaders();
    const lost = permissionLost({
      authorize: (asked) => authorize(caller, { ...capture, verb: audited.verb }, asked),
      everyMs: timing.authorizeEveryMs,
      uncheckedMs: timing.uncheckedMs,
      signal: ended.signal,
    }).finally(() => revoked.abort());
    let bytes = 0;
    const relayed = await relay({
      source: source.response.body,
      response,
      stallMs: timing.stallMs,
      signal: AbortSignal.any([signal, revoked.signal]),
      cut,
      onTaken(taken) {
        bytes += taken;
        events.bytes(subresource, taken);
      },
    });
    ended.abort();
    const durationMs = Math.round(performance.now() - startMs);
    const ending = relayed === 'Aborted' ? ((await lost) ?? 'HubStopping') : relayed;
    audit({ ...stream, event: 'StreamEnded', ending, bytes, durationMs });
    events.ended(subresource, ending, durationMs / 1_000);
  }

  return async (request, response) => {
    const audited = auditedStream(request);
    const refused = await serve({ request, response, audited, startMs: performance.now() });
    if (!refused) return undefined;
    // A client that is gone reads nothing: these words are for those whose hub stops while they wait.
    const error = request.signal.aborted ? streamErrors.stopping() : refused;
    const { code, message } = error;
    const reason = request.signal.aborted ? 'Aborted' : error.reason;
    audit({ ...audited, event: 'StreamRefused', code, reason, message });
    events.refused(request.subresource, reason);
    return error;
  };
}

type StreamContext = {
  readonly request: SubresourceRequest;
  readonly response: ServerResponse;
  readonly audited: AuditedStream;
  readonly startMs: number;
};

/** Packets are for whoever asked, and never a page: a browser must not guess what they are. */
const headers = {
  'cache-control': 'no-store',
  'content-disposition': 'attachment',
  'x-content-type-options': 'nosniff',
} as const;

function auditedStream({ subresource, capture, query, caller, auditId }: SubresourceRequest): AuditedStream {
  return {
    id: randomUUID(),
    auditId,
    caller,
    verb: verbs[subresource],
    ...capture,
    recording: query.get('uid'),
    parameters: Object.fromEntries(query),
  };
}
