import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { type Agent, request } from 'node:https';
import { ApiError, type Call } from './api-error.ts';

/** One HTTP request and its answer. Disposing of it before the answer is complete closes the connection. */
export type Exchange = Disposable & {
  readonly response: Promise<IncomingMessage>;
  /** Closes the connection; from then on `explain` returns `error`. */
  readonly drop: (error: ApiError) => void;
  /** The error to report when waiting for the answer or reading it throws `error`. */
  readonly explain: (error: unknown) => ApiError;
};

export type ExchangeOptions = {
  readonly agent: Agent;
  readonly url: URL;
  readonly call: Call;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: string | undefined;
  readonly connectMs: number;
  readonly signal?: AbortSignal | undefined;
};

/** Sends a request. Its listener on the signal is removed at its end: signals can live as long as the process. */
export function exchange({ agent, url, call, headers, body, connectMs, signal }: ExchangeOptions): Exchange {
  const outgoing = request(url, { agent, method: call.method, headers });
  let dropped: ApiError | undefined;
  let answer: IncomingMessage | undefined;
  const drop = (error: ApiError) => {
    dropped ??= error;
    outgoing.destroy(error);
  };
  const abort = () =>
    drop(new ApiError({ ...call, reason: 'Aborted', message: 'aborted', cause: signal?.reason }));
  const tooSlow = () =>
    drop(new ApiError({ ...call, reason: 'Unreachable', message: `no connection within ${connectMs} ms` }));

  const connecting = setTimeout(tooSlow, connectMs);
  // A dead peer is noticed after 30 s and 10 probes, one each second, even on a watch, which only receives.
  outgoing.setSocketKeepAlive(true, 30_000);
  outgoing.once('socket', (socket) => {
    if (outgoing.reusedSocket) clearTimeout(connecting);
    else socket.once('secureConnect', () => clearTimeout(connecting));
  });
  const release = () => {
    clearTimeout(connecting);
    signal?.removeEventListener('abort', abort);
  };
  signal?.addEventListener('abort', abort);
  outgoing.once('close', release);
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.once('response', (message) => {
      answer = message;
      resolve(message);
    });
  });
  outgoing.end(body);
  if (signal?.aborted) abort();

  return {
    response,
    drop,
    explain(error) {
      if (dropped !== undefined) return dropped;
      if (error instanceof ApiError) return error;
      const stale = outgoing.reusedSocket && answer === undefined;
      const message = error instanceof Error ? error.message : String(error);
      return new ApiError({
        ...call,
        reason: stale ? 'StaleConnection' : 'Unreachable',
        message,
        cause: error,
      });
    },
    [Symbol.dispose]() {
      release();
      // Has no effect once the answer was read to its end: by then the connection is back in the pool.
      outgoing.destroy();
    },
  };
}
