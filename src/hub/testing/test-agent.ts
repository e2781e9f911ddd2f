import { once } from 'node:events';
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import * as v from 'valibot';
import { respondUntilComplete } from '../../link/complete-answer.ts';
import {
  type CountersLine,
  type LinkWelcome,
  linkPaths,
  linkProtocol,
  linkWelcomeSchema,
  type ReportLine,
} from '../../link/protocol.ts';
import { writeLine } from '../../link/write-line.ts';

/** The agent's side of a link, without an agent: it answers what it is told to answer. */
export type TestAgent = AsyncDisposable & {
  readonly welcome: LinkWelcome;
  /** Sends it to the hub, which must have asked for reports by then or ask later. */
  readonly report: (line: ReportLine) => void;
  /** The token that it sends when it is asked for a fresh one. */
  readonly setToken: (token: string) => void;
  /** The requests so far, as `GET /v1/reports`. */
  readonly requests: readonly string[];
  readonly isClosed: () => boolean;
  /** The connection ends at once. */
  readonly cut: () => void;
};

export type TestAgentHandler = (
  stream: ServerHttp2Stream,
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
) => void;

export type TestAgentOptions = {
  readonly port: number;
  /** PEM. */
  readonly ca: string;
  readonly token: string;
  readonly host?: string;
  /** In the hub's certificate; without it, the host is. */
  readonly serverName?: string;
  /** Sends a PING this often; unset: never. */
  readonly pingEveryMs?: number;
  /** An address of this machine to connect from. */
  readonly localAddress?: string;
  /** Sent as soon as the hub asks for reports, and `synced` after it unless it is among them. */
  readonly recordings?: readonly ReportLine[];
  /** Of all recordings, at each request. */
  readonly counters?: () => readonly CountersLine[];
  /** Answers by path; those of reports, counters and token are there unless replaced. */
  readonly handlers?: Readonly<Record<string, TestAgentHandler>>;
};

/** Connects to a hub; resolves once the hub has welcomed or refused the agent. */
export async function connectTestAgent(options: TestAgentOptions): Promise<TestAgent> {
  const { recordings = [], counters = () => [], handlers = {} } = options;
  const socket = await dial(options);
  await writeLine(socket, { token: options.token, version: '1.2.3' });
  const welcome = await readWelcome(socket);
  const requests: string[] = [];
  const reporting = new Set<ServerHttp2Stream>();
  const sent: ReportLine[] = [...recordings];
  if (!sent.some(({ kind }) => kind === 'synced')) sent.push({ kind: 'synced' });
  let { token } = options;
  const answers: Readonly<Record<string, TestAgentHandler>> = {
    [linkPaths.reports](stream) {
      respondUntilComplete(stream, { ':status': 200, 'content-type': 'application/json' });
      reporting.add(stream);
      stream.once('close', () => reporting.delete(stream));
      stream.write(sent.map(jsonLine).join(''));
    },
    [linkPaths.counters](stream) {
      respondUntilComplete(stream, { ':status': 200, 'content-type': 'application/json' });
      stream.end(counters().map(jsonLine).join(''));
    },
    [linkPaths.token](stream) {
      respondUntilComplete(stream, { ':status': 200, 'content-type': 'text/plain' });
      stream.end(token);
    },
    ...handlers,
  };
  const session = welcome.kind === 'welcome' ? serve(socket, answers, requests) : undefined;
  if (options.pingEveryMs !== undefined) session?.once('close', pingEvery(session, options.pingEveryMs));
  return {
    welcome,
    requests,
    isClosed: () => socket.destroyed,
    cut: () => socket.destroy(),
    setToken(fresh) {
      token = fresh;
    },
    report(line) {
      sent.push(line);
      for (const stream of reporting) stream.write(jsonLine(line));
    },
    async [Symbol.asyncDispose]() {
      session?.destroy();
      socket.destroy();
      if (!socket.closed) await once(socket, 'close');
    },
  };
}

/** Returns a function that ends it. */
function pingEvery(session: ServerHttp2Session, ms: number): () => void {
  const timer = setInterval(() => session.ping(() => {}), ms);
  return () => clearInterval(timer);
}

function jsonLine(object: object): string {
  return `${JSON.stringify(object)}\n`;
}

async function dial({
  host = '127.0.0.1',
  port,
  ca,
  serverName,
  localAddress,
}: TestAgentOptions): Promise<TLSSocket> {
  const from = localAddress === undefined ? {} : { localAddress };
  const to = serverName === undefined ? {} : { servername: serverName };
  const socket = connect({ host, port, ca, ALPNProtocols: [linkProtocol], ...from, ...to });
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  socket.setNoDelay(true);
  return socket;
}

async function readWelcome(socket: TLSSocket): Promise<LinkWelcome> {
  let text = '';
  while (!text.includes('\n')) {
    if (socket.destroyed || socket.readableEnded) throw new Error('the hub ended the connection');
    await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
    const chunk: unknown = socket.read();
    if (Buffer.isBuffer(chunk)) text += chunk.toString('latin1');
  }
  const end = text.indexOf('\n') + 1;
  if (end < text.length) socket.unshift(Buffer.from(text.slice(end), 'latin1'));
  return v.parse(v.pipe(v.string(), v.parseJson(), linkWelcomeSchema), text.slice(0, end));
}

function serve(
  socket: TLSSocket,
  answers: Readonly<Record<string, TestAgentHandler>>,
  requests: string[],
): ServerHttp2Session {
  const session = performServerHandshake(socket, { settings: { initialWindowSize: 65_535 } });
  session.on('error', () => {});
  session.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.resume();
    const target = headers[':path'] ?? '';
    const [path = '', query = ''] = target.split('?');
    requests.push(`${headers[':method']} ${target}`);
    const answer = answers[path];
    if (answer) answer(stream, new URLSearchParams(query), headers);
    else stream.respond({ ':status': 404 }, { endStream: true });
  });
  return session;
}
