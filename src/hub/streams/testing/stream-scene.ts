import { createServer, request } from 'node:https';
import { onTestFinished } from 'vitest';
import type { Capture } from '../../../api/capture.ts';
import { kubernetesClient } from '../../../kubernetes/client.ts';
import type { RecordedRequest } from '../../../kubernetes/testing/api-server.ts';
import { memoryLog } from '../../../kubernetes/testing/memory-logger.ts';
import type { ReportLine } from '../../../link/protocol.ts';
import { listenOnLoopback } from '../../../testbed/loopback-port.ts';
import { type AuditEvent, auditLog } from '../../access/audit.ts';
import { authorizer } from '../../access/authorizer.ts';
import { namespaces } from '../../access/namespaces.ts';
import { apiConnections, defaultApiConnectionBounds } from '../../api/api-connections.ts';
import { parseQuery } from '../../api/query-parameters.ts';
import { isStatusError, type StatusError, statusOf } from '../../api/status-error.ts';
import type { CaptureStore } from '../../captures/capture-store.ts';
import type { Captures } from '../../captures/captures.ts';
import { agentToken } from '../../testing/agent-token.ts';
import { linkScene } from '../../testing/link-scene.ts';
import type { TestAgentHandler } from '../../testing/test-agent.ts';
import { type StreamHandlerOptions, streamHandler } from '../stream-handler.ts';

export const reviewsPath = '/apis/authorization.k8s.io/v1/subjectaccessreviews';

export type StreamSceneOptions = Partial<Pick<StreamHandlerOptions, 'bounds' | 'timing'>> & {
  readonly captures?: readonly Capture[];
  /** Has what agents report, in place of `captures`. */
  readonly store?: CaptureStore;
  /** The verbs that the user has; changes take effect at the next review. */
  readonly allowed?: Set<string>;
};

/** How a client saw an answer. */
export type SeenAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
  /** False if the connection was cut before the end. */
  readonly isComplete: boolean;
};

/** A handler of streams behind real HTTPS, with real links to agents, and the API server that it asks. */
export async function streamScene(options: StreamSceneOptions = {}) {
  const { captures: all = [], store, allowed = new Set(['get', 'download', 'tap']) } = options;
  const { bounds = { perHub: 100, perUser: 100 }, timing = {} } = options;
  const links = await linkScene(store && { receiveReports: store.receiveReports });
  const client = kubernetesClient(links.api.config);
  links.api.answers.set(reviewsPath, (review) => ({
    kind: 'json',
    status: 201,
    body: { status: { allowed: allowed.has(verbOf(review)) } },
  }));
  links.api.objects.set('/api/v1/namespaces/shop', {
    metadata: { creationTimestamp: '2026-11-01T00:00:00Z' },
  });
  const log = memoryLog();
  const auditLines: string[] = [];
  const events: unknown[][] = [];
  const note =
    (name: string) =>
    (...values: readonly unknown[]) =>
      void events.push([name, ...values]);
  const handle = streamHandler({
    captures: store ?? capturesOf(all, links.server.agents),
    agents: links.server.agents,
    namespaces: namespaces({ client, log }),
    authorize: authorizer({ client, log, limits: { allowedMs: 0, deniedMs: 0, deadlineMs: 500 } }),
    audit: auditLog((line) => auditLines.push(line)),
    events: { opened: note('opened'), refused: note('refused'), bytes: note('bytes'), ended: note('ended') },
    bounds,
    timing,
  });
  let agents = 0;
  const hub = await streamServer(handle, links.certificate);
  onTestFinished(async () => {
    hub.close();
    await client[Symbol.asyncDispose]();
    await links[Symbol.asyncDispose]();
  });
  return {
    api: links.api,
    port: hub.port,
    stopHub: hub.stop,
    allowed,
    auditLines,
    audited: () => auditLines.map((line): AuditEvent & Record<string, unknown> => JSON.parse(line)),
    events,
    /** Connects an agent of that Node. */
    agent(
      node: string,
      handlers: Readonly<Record<string, TestAgentHandler>>,
      recordings: readonly ReportLine[] = [],
    ) {
      agents += 1;
      const token = agentToken({ node, podName: `podcap-${agents}` });
      return links.connect({ token, handlers, recordings });
    },
    /** A client that reads what comes, until it leaves. */
    open: (path: string, headers: Readonly<Record<string, string>> = {}) =>
      openAnswer(hub.port, path, headers),
    /** The whole answer to a GET of a path such as `shop/web/log`. */
    get: (path: string, headers: Readonly<Record<string, string>> = {}) => readAll(hub.port, path, headers),
  };
}

function verbOf({ body }: RecordedRequest): string {
  return JSON.stringify(body).match(/"verb":"(\w+)"/)?.[1] ?? '';
}

function capturesOf(all: readonly Capture[], agents: StreamHandlerOptions['agents']): Captures {
  const find = (namespace: string, name: string) =>
    all.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  return {
    list: () => Promise.resolve({ items: all, resourceVersion: '1', missingNodes: [] }),
    get: ({ namespace, name }) => Promise.resolve(find(namespace, name)),
    async *watch() {},
    deletionsSince: () => 'complete',
    timeMsOf: Number,
    agentsOf: (_name, { node }) => agents.ofNode(node),
  };
}

async function streamServer(
  handle: ReturnType<typeof streamHandler>,
  certificate: { readonly cert: string; readonly key: string },
) {
  const stopping = new AbortController();
  const server = createServer(certificate, (incoming, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client is gone')));
    const [path = '', query = ''] = (incoming.url ?? '').split('?');
    const [, namespace = '', name = '', subresource] = path.split('/');
    const parameters = parseQuery(query);
    const refuse = (error: StatusError) => {
      const { code, retryAfterSeconds } = error;
      const headers = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
      response.writeHead(code, headers).end(JSON.stringify(statusOf(error)));
    };
    if (isStatusError(parameters)) {
      refuse(parameters);
      return;
    }
    const handled = handle(
      {
        subresource: subresource === 'attach' ? 'attach' : 'log',
        capture: { namespace, name },
        query: parameters,
        caller: {
          user: String(incoming.headers['user'] ?? 'jane'),
          uid: '42',
          groups: ['developers'],
          extra: {},
          from: '203.0.113.7',
        },
        accept: incoming.headers.accept ?? '',
        auditId: 'chosen-by-the-client',
        signal: AbortSignal.any([gone.signal, stopping.signal]),
        cut: () => connections.reset(incoming.socket),
      },
      response,
    );
    handled.then(
      (error) => error && !response.destroyed && refuse(error),
      () => response.destroy(),
    );
  });
  const connections = apiConnections(server, defaultApiConnectionBounds);
  const port = await listenOnLoopback(server);
  return {
    port,
    stop: () => stopping.abort(new Error('the hub stops')),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function openAnswer(port: number, path: string, headers: Readonly<Record<string, string>>) {
  const firstBytes = Promise.withResolvers<void>();
  const sent = request({ port, path: `/${path}`, headers, rejectUnauthorized: false, agent: false });
  sent.on('error', firstBytes.reject).once('response', (response) => {
    response.on('error', () => {}).on('data', () => firstBytes.resolve());
  });
  sent.end();
  return { firstBytes: firstBytes.promise, leave: () => void sent.destroy() };
}

async function readAll(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<SeenAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<SeenAnswer>();
  const sent = request({ port, path: `/${path}`, headers, rejectUnauthorized: false, agent: false });
  // The reset of a stream that is cut is an error of its request too.
  sent.on('error', reject).once('response', (response) => {
    sent.off('error', reject).on('error', () => {});
    const parts: Buffer[] = [];
    const seen = () =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: Buffer.concat(parts),
        isComplete: response.complete,
      });
    response
      .on('data', (part: Buffer) => parts.push(part))
      .on('error', () => {})
      .once('close', seen);
  });
  sent.end();
  return await promise;
}
