import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { createServer, type TLSSocket } from 'node:tls';
import * as v from 'valibot';
import { until } from '../../../base/until.ts';
import type { Certificate } from '../../../kubernetes/testing/certificate.ts';
import { type LinkHello, type LinkWelcome, linkHelloSchema, linkProtocol } from '../../../link/protocol.ts';
import { writeLine } from '../../../link/write-line.ts';
import { listenOnLoopback } from '../../../testbed/loopback-port.ts';

/** A hub that speaks the link's protocol, and asks what a test wants to know. */
export type TestHub = AsyncDisposable & {
  readonly port: number;
  /** Every connection that said hello, oldest first, also those that have ended. */
  readonly links: readonly TestHubLink[];
  /** The newest link that is open. */
  readonly link: () => Promise<TestHubLink>;
  /** What it answers to a hello from now on. */
  answer: (welcome: LinkWelcome) => void;
};

export type TestHubLink = {
  readonly hello: LinkHello;
  readonly session: ClientHttp2Session;
  readonly socket: TLSSocket;
  readonly isClosed: () => boolean;
  readonly open: (path: string, method?: string) => ClientHttp2Stream;
  /** The whole answer; rejects if it is cut. */
  readonly ask: (path: string, method?: string) => Promise<TestAnswer>;
};

export type TestAnswer = { readonly status: number; readonly text: string };

export type TestHubOptions = {
  readonly certificate: Certificate;
  readonly port?: number;
  readonly alpn?: string;
};

/** Starts a hub on a port of 127.0.0.1 that welcomes everyone. */
export async function testHub({ certificate, port, alpn = linkProtocol }: TestHubOptions): Promise<TestHub> {
  const links: TestHubLink[] = [];
  const sockets = new Set<TLSSocket>();
  let welcome: LinkWelcome = { kind: 'welcome', version: 'test' };
  const server = createServer({ ...certificate, ALPNProtocols: [alpn] }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    void accept(socket).catch(() => socket.destroy());
  });
  server.on('tlsClientError', () => {});

  async function accept(socket: TLSSocket): Promise<void> {
    const hello = v.parse(linkHelloSchema, JSON.parse(await firstLine(socket)));
    await writeLine(socket, welcome);
    if (welcome.kind === 'welcome') links.push(linkOn(socket, hello));
    else socket.end();
  }

  const listening = port === undefined ? await listenOnLoopback(server) : await listenOn(port);
  async function listenOn(fixed: number): Promise<number> {
    server.listen(fixed, '127.0.0.1');
    await once(server, 'listening');
    return fixed;
  }

  return {
    port: listening,
    links,
    link: () => until(() => links.findLast((link) => !link.isClosed()), { what: 'a link to the hub' }),
    answer(next) {
      welcome = next;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function linkOn(socket: TLSSocket, hello: LinkHello): TestHubLink {
  const session = connect('http://agent', {
    createConnection: () => socket,
    settings: { initialWindowSize: 512 * 1024, enablePush: false },
  });
  session.on('error', () => {});
  const open = (path: string, method = 'GET') => {
    const stream = session.request({ ':path': path, ':method': method });
    stream.on('error', () => {});
    return stream;
  };
  return {
    hello,
    session,
    socket,
    isClosed: () => session.destroyed,
    open,
    async ask(path, method) {
      const stream = open(path, method);
      let status = 0;
      let text = '';
      stream.setEncoding('utf8');
      stream.on('response', (headers) => {
        status = headers[':status'] ?? 0;
      });
      stream.on('data', (part: string) => {
        text += part;
      });
      await once(stream, 'close');
      return { status, text };
    },
  };
}

/** A client sends nothing after its first line until it is answered. */
async function firstLine(socket: TLSSocket): Promise<string> {
  let line = '';
  while (!line.includes('\n')) {
    const part: unknown = socket.read();
    if (Buffer.isBuffer(part)) line += part.toString('utf8');
    else await once(socket, 'readable');
  }
  return line;
}
