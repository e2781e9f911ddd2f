import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import * as v from 'valibot';
import {
  type LinkHello,
  linkProtocol,
  linkWelcomeSchema,
  longestLinkLineBytes,
} from '../../link/protocol.ts';
import { readableOrClosed } from '../../link/readable-or-closed.ts';
import { writeLine } from '../../link/write-line.ts';
import { LinkFailure } from './link-failure.ts';
import type { HubAddress } from './link-handler.ts';

export type HandshakeOptions = {
  readonly hub: HubAddress;
  readonly tlsServerName: string;
  /** PEM. */
  readonly authority: string;
  readonly hello: LinkHello;
  /** For connection, TLS and the hub's answer together. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
};

/**
 * Dials a hub and says who dials. Returns the socket once the hub has welcomed the agent, with everything that follows the
 * welcome still to be read. Throws a LinkFailure.
 */
export async function linkHandshake(options: HandshakeOptions): Promise<TLSSocket> {
  const { hub, tlsServerName, authority, hello, deadlineMs } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(deadlineMs)]);
  const socket = connect({
    host: hub.address,
    port: hub.port,
    servername: tlsServerName,
    ca: authority,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [linkProtocol],
  });
  try {
    // An error before that rejects; one after it ends what is waited for.
    await once(socket, 'secureConnect', { signal });
    socket.on('error', () => {});
    socket.setNoDelay(true);
    if (socket.alpnProtocol !== linkProtocol)
      throw new LinkFailure('Protocol', `the hub does not speak ${linkProtocol}`);
    await writeLine(socket, hello);
    checkWelcome(await readLine(socket, signal));
    return socket;
  } catch (error) {
    socket.on('error', () => {});
    socket.destroy();
    throw asLinkFailure(error, options);
  }
}

function checkWelcome(line: string): void {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), linkWelcomeSchema), line);
  if (!parsed.success)
    throw new LinkFailure('Protocol', 'the hub answers with something else than a welcome');
  if (parsed.output.kind === 'refused')
    throw new LinkFailure('Refused', `${parsed.output.reason}: ${parsed.output.message}`);
}

/** The first line; what came with it can be read again. */
async function readLine(socket: Socket, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const chunk: unknown = socket.read();
    if (!Buffer.isBuffer(chunk)) {
      if (socket.readableEnded || socket.destroyed)
        throw new LinkFailure('Closed', 'the hub ended the connection before it answered');
      await readableOrClosed(socket, signal);
      continue;
    }
    const at = chunk.indexOf(0x0a);
    chunks.push(at < 0 ? chunk : chunk.subarray(0, at));
    bytes += chunk.length;
    if (at >= 0) {
      if (at + 1 < chunk.length) socket.unshift(chunk.subarray(at + 1));
      return Buffer.concat(chunks).toString('utf8');
    }
    if (bytes > longestLinkLineBytes)
      throw new LinkFailure('Protocol', 'the hub answers with a line that is too long');
  }
}

/** OpenSSL's codes for a certificate that is not accepted. */
const untrusted = /^(UNABLE_TO|CERT_|DEPTH_|SELF_SIGNED|ERR_TLS_CERT|INVALID_|HOSTNAME_)/;

function asLinkFailure(error: unknown, { signal, deadlineMs }: HandshakeOptions): LinkFailure {
  if (error instanceof LinkFailure) return error;
  if (error instanceof Error && error.name === 'AbortError')
    return signal.aborted
      ? new LinkFailure('Closed', 'not needed any more', error)
      : new LinkFailure('Unreachable', `no answer within ${deadlineMs / 1_000} s`, error);
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = untrusted.test(code) ? 'Untrusted' : code.startsWith('ERR_SSL') ? 'Protocol' : 'Unreachable';
  return new LinkFailure(reason, message, error);
}
