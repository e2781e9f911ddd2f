import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { framesMediaType } from '../../src/api/stream-frames.ts';
import { type ClusterConfig, kubeconfigConfig } from '../../src/kubernetes/client-config.ts';
import { kubectl } from './run-kubectl.ts';

/** The captures of a namespace; without one, of all namespaces. */
export function capturesPath(namespace?: string): string {
  const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `/apis/podcap.dev/v1alpha1${scope}/captures`;
}

/** The answer to a request of a capture's bytes, through the API server. */
export type CaptureAnswer = Disposable & {
  readonly status: number;
  readonly contentType: string;
  /** Throws if it is cut. */
  readonly body: IncomingMessage;
  /** Its whole body; throws if it is cut. */
  readonly bytes: () => Promise<Buffer>;
};

export type CaptureRequestOptions = {
  readonly accept?: string;
  readonly method?: 'GET' | 'DELETE';
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
};

/** Sends requests as a cluster administrator, byte for byte as they are given: no client tidies up the path. */
export async function captureRequests() {
  const config = kubeconfigConfig(await kubectl('config', 'view', '--raw', '--flatten', '-o', 'json'));
  return {
    send: (path: string, options: CaptureRequestOptions = {}) => send(config, path, options),
    frames: (path: string) => send(config, path, { accept: framesMediaType }),
  };
}

export type CaptureRequests = Awaited<ReturnType<typeof captureRequests>>;

async function send(
  { server, ca, credentials }: ClusterConfig,
  path: string,
  { accept = '*/*', method = 'GET', headers = {} }: CaptureRequestOptions,
): Promise<CaptureAnswer> {
  if (credentials.kind !== 'client-certificate') throw new Error('the administrator has a certificate');
  const sent = request({
    host: server.hostname,
    port: server.port,
    path,
    method,
    ca,
    cert: credentials.cert,
    key: credentials.key,
    headers: { accept, ...headers },
    agent: false,
  });
  sent.end();
  return await answerOf(sent);
}

async function answerOf(sent: ClientRequest): Promise<CaptureAnswer> {
  const [body]: IncomingMessage[] = await once(sent, 'response');
  if (!body) throw new Error('no answer');
  return {
    status: body.statusCode ?? 0,
    contentType: body.headers['content-type'] ?? '',
    body,
    bytes: async () => Buffer.concat(await Array.fromAsync(body.iterator())),
    [Symbol.dispose]: () => body.destroy(),
  };
}
