import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';
import type { Certificate } from '../../src/kubernetes/testing/certificate.ts';
import { listenOnLoopback } from '../../src/testbed/loopback-port.ts';

/** A hub's API as the API server reaches it. */
export type HubApi = {
  readonly port: number;
  /** Of the hub; PEM. */
  readonly ca: string;
  readonly serverName: string;
  /** By which the hub knows the API server. */
  readonly certificate: Certificate;
};

/** What kubectl asks for to print a list. */
export const tableMediaType = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

/** Sends requests to a hub as kube-apiserver does for a user who may do everything. */
export type FrontProxy = AsyncDisposable & {
  /** The whole answer; throws unless its status is 200. */
  readonly get: (path: string, accept: string) => Promise<Buffer>;
  /** The lines of a watch, until the signal. */
  readonly lines: (path: string, signal: AbortSignal) => AsyncIterable<string>;
  /** An address without TLS and authentication, at which kubectl finds the hub as a part of an API. */
  readonly url: string;
};

/** Starts it on a free port of 127.0.0.1. */
export async function frontProxy(hub: HubApi): Promise<FrontProxy> {
  const { port, ca, serverName, certificate } = hub;
  const agent = new Agent({ keepAlive: true, ca, servername: serverName, ...certificate });

  async function send(path: string, accept: string, signal?: AbortSignal): Promise<IncomingMessage> {
    const sent = request({
      agent,
      host: '127.0.0.1',
      port,
      path,
      headers: { accept, ...identity },
      ...(signal && { signal }),
    });
    sent.end();
    const [answer]: IncomingMessage[] = await once(sent, 'response');
    if (!answer) throw new Error('no answer');
    return answer;
  }

  async function pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = incoming.url ?? '';
    if (!path.startsWith('/apis')) {
      response.writeHead(404).end();
      return;
    }
    const answer = await send(path, incoming.headers.accept ?? '*/*');
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  }

  const server = createServer((incoming, response) => {
    pass(incoming, response).catch(() => response.destroy());
  });
  const own = await listenOnLoopback(server);
  return {
    url: `http://127.0.0.1:${own}`,
    async get(path, accept) {
      const answer = await send(path, accept);
      const body = await bodyOf(answer);
      if (answer.statusCode !== 200)
        throw new Error(`${path}: ${answer.statusCode} ${body.toString('utf8')}`);
      return body;
    },
    async *lines(path, signal) {
      const answer = await send(path, 'application/json', signal);
      if (answer.statusCode !== 200) throw new Error(`${path}: ${(await bodyOf(answer)).toString('utf8')}`);
      // An iterator that is left while the answer is cut has no one to tell.
      answer.on('error', () => {});
      yield* createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY });
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const identity = {
  'x-remote-user': 'bench',
  'x-remote-group': 'system:masters',
  'x-forwarded-for': '127.0.0.1',
};

async function bodyOf(answer: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of answer) if (Buffer.isBuffer(part)) parts.push(part);
  return Buffer.concat(parts);
}
