import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { type Agent, request } from 'node:https';
import { ApiError, type Call } from './api-error.ts';

/** One HTTP request under way, and its answer. Disposed before the answer is complete, its connection goes. */
export type Exchange = Disposable & {
  readonly response: Promise<IncomingMessage>;
  /** Drops the connection; `error` is then what `explain` gives. */
  readonly drop: (error: ApiError) => void;
  /** What really happened, when waiting for the answer or reading it has thrown `error`. */
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

/** Sends a request. The signal's listener is removed when the exchange ends: signals live as long as the process. */
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
  // A peer that is gone is noticed after 30 s + 10 probes of a second, also on a watch that only ever receives.
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
      // Does nothing to an answer that was read to its end: its connection is back in the pool by then.
      outgoing.destroy();
    },
  };
}
