import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '../../kubernetes/logger.ts';
import { boundedUser } from '../access/bounded-user.ts';
import { type ApiCall, type ApiSources } from './api-call.ts';
import type { ApiConnections } from './api-connections.ts';
import { sendError, sendText } from './api-response.ts';
import { deleteCapture } from './delete-capture.ts';
import { eventLines } from './event-lines.ts';
import { listTurns } from './list-turns.ts';
import { type CallKind, type CallLimits, callEndings, openCalls } from './open-calls.ts';
import { parseQuery, type QueryParameters } from './query-parameters.ts';
import { getCapture, listCaptures } from './read-captures.ts';
import { parsePath, type RequestPath } from './request-path.ts';
import { planRequest, type RequestPlan } from './request-plan.ts';
import { staticDocuments } from './static-documents.ts';
import { isStatusError, type StatusError, statusError } from './status-error.ts';
import type { SubresourceHandler } from './subresource-handler.ts';
import { watchCaptures } from './watch-captures.ts';

export type ApiHandlerOptions = ApiSources & {
  readonly subresources: SubresourceHandler;
  /** Why the hub is not ready; undefined: it is. */
  readonly notReady: () => string | undefined;
  /** Of the program. */
  readonly version: string;
  readonly log: Log;
  readonly limits: CallLimits;
  readonly connections: Pick<ApiConnections, 'keep' | 'reset'>;
  /** Told of each request that has been answered. */
  readonly onAnswered: (answered: ApiAnswered) => void;
};

export type ApiAnswered = {
  /** `other`: documents, health, and what is refused before it is known what it wants. */
  readonly action: RequestPlan['kind'] | 'other';
  readonly code: number;
  readonly tookMs: number;
};

export type ApiHandler = {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** Ends watches and streams, and resolves once no request is open. */
  readonly end: () => Promise<void>;
};

/** Answers the requests of the API. */
export function apiHandler(options: ApiHandlerOptions): ApiHandler {
  const { access, log, notReady, limits, connections, onAnswered } = options;
  const documents = staticDocuments(options.version);
  const calls = openCalls(limits);
  const perform = performer(options);
  /** Each has got its last answer. */
  const closing = new WeakSet<Socket>();

  function answerFixed(path: FixedPath, query: QueryParameters, exchange: HttpExchange): void {
    const { request, response } = exchange;
    if (request.method !== 'GET') sendError(response, onlyGet);
    else if (path.kind === 'health') sendText(response, 200, 'ok');
    else if (path.kind === 'readiness') {
      const problem = notReady();
      sendText(response, problem === undefined ? 200 : 503, problem ?? 'ok');
    } else documents[path.kind]({ ...exchange, hash: query.get('hash') });
  }

  async function answerPlan(plan: RequestPlan, call: Omit<ApiCall, 'signal'>): Promise<void> {
    const { response } = call;
    let seen: AbortSignal | undefined;
    try {
      const opened = { kind: callKind(plan), user: boundedUser(call.caller), response };
      const error = await calls.run(opened, async (signal) => {
        seen = signal;
        return await perform(plan, { ...call, signal });
      });
      if (error) sendError(response, error);
    } catch (cause) {
      if (seen?.reason === callEndings.clientGone) response.destroy();
      else if (seen?.reason === callEndings.deadline) sendError(response, tookTooLong);
      else {
        log.warn({ action: plan.kind, ...nameIn(plan), err: cause }, 'failed to answer a request');
        if (response.headersSent) call.cut();
        else sendError(response, failed);
      }
    }
  }

  /** Returns what kind of request it is. */
  function answer(request: IncomingMessage, response: ServerResponse): ApiAnswered['action'] {
    const refuse = (error: StatusError): ApiAnswered['action'] => {
      sendError(response, error);
      return 'other';
    };
    const caller = access.identify(request);
    const isIdentified = !isStatusError(caller);
    // Only the API server's connections are kept.
    const isKept = isIdentified && connections.keep(request.socket);
    if (!isKept) {
      response.setHeader('connection', 'close');
      closing.add(request.socket);
    }
    if (isIdentified && !isKept) return refuse(tooManyConnections);
    const { path, query } = parseTarget(request.url ?? '');
    if (isStatusError(path)) return refuse(path);
    if (isStatusError(query)) return refuse(query);
    if (isFixed(path)) {
      answerFixed(path, query, { request, response });
      return 'other';
    }
    if (!isIdentified) return refuse(caller);
    const plan = planRequest(request.method ?? '', path, query);
    if (isStatusError(plan)) return refuse(plan);
    const cut = () => connections.reset(request.socket);
    void answerPlan(plan, { request, response, caller, query, cut });
    return plan.kind;
  }

  return {
    end: calls.end,
    handle(request, response) {
      // What a stranger sent together with its first request is read by now, and costs no answer.
      if (closing.has(request.socket)) return;
      const startMs = performance.now();
      let action: ApiAnswered['action'] = 'other';
      response.once('close', () => {
        onAnswered({ action, code: response.statusCode, tookMs: performance.now() - startMs });
      });
      try {
        action = answer(request, response);
      } catch (cause) {
        log.warn({ err: cause }, 'failed to answer a request');
        sendError(response, failed);
      }
    },
  };
}

type HttpExchange = { readonly request: IncomingMessage; readonly response: ServerResponse };

type FixedPath = Exclude<RequestPath, { readonly kind: 'captures' | 'capture' | 'subresource' }>;

function isFixed(path: RequestPath): path is FixedPath {
  return path.kind !== 'captures' && path.kind !== 'capture' && path.kind !== 'subresource';
}

function parseTarget(target: string) {
  const mark = target.indexOf('?');
  return {
    path: parsePath(mark < 0 ? target : target.slice(0, mark)),
    query: parseQuery(mark < 0 ? '' : target.slice(mark + 1)),
  };
}

/** What carries out a plan; it returns the error to answer with, if nothing was sent. */
function performer(
  options: ApiHandlerOptions,
): (plan: RequestPlan, call: ApiCall) => Promise<StatusError | undefined> {
  const lines = eventLines();
  const turns = listTurns();
  return async (plan, call) => {
    switch (plan.kind) {
      case 'get':
        return await getCapture(options, call, plan.capture);
      case 'list':
        return await turns(
          boundedUser(call.caller),
          async () => await listCaptures(options, call, plan),
          call.signal,
        );
      case 'watch':
        return await watchCaptures(options, call, plan, lines);
      case 'delete':
        return await deleteCapture(options, call, plan.capture);
      case 'subresource': {
        const { request, response, caller, query, signal, cut } = call;
        const { subresource, capture } = plan;
        const accept = request.headers.accept ?? '';
        const auditId = auditIdOf(request);
        return await options.subresources(
          { subresource, capture, query, caller, accept, auditId, signal, cut },
          response,
        );
      }
    }
  };
}

function callKind({ kind }: RequestPlan): CallKind {
  if (kind === 'subresource') return 'stream';
  return kind === 'watch' ? 'watch' : 'short';
}

function nameIn(plan: RequestPlan): object {
  return 'capture' in plan
    ? { namespace: plan.capture.namespace, pod: plan.capture.name }
    : { namespace: plan.namespace };
}

function auditIdOf({ headers }: IncomingMessage): string {
  const header = headers['audit-id'];
  return typeof header === 'string' && header.length <= 64 ? header : '';
}

const tooManyConnections = statusError('TooManyRequests', 'the hub has too many connections: try again', 5);
const onlyGet = statusError('MethodNotAllowed', 'this path is only for GET');
const tookTooLong = statusError(
  'Timeout',
  'the hub did not have the answer in time: try again, and if that lasts, look at its log',
);
const failed = statusError('InternalError', 'the hub failed to answer; its log says why');
