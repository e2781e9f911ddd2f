import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';

/** How the relay of a stream ended. Only `Complete` ends the response; every other one cuts it. */
export type RelayEnding = 'Complete' | 'ClientGone' | 'ClientTooSlow' | 'SourceCut' | 'Aborted';

export type RelayOptions = {
  /** Errors where it was cut: an end is taken for one. */
  readonly source: Readable;
  /** Its head has been sent. */
  readonly response: ServerResponse;
  /** How long bytes may wait for the client without it taking any. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
  /** Cuts the response, with what the client has not read yet. */
  readonly cut: () => void;
  /** Bytes that have left this process. */
  readonly onTaken: (bytes: number) => void;
};

/**
 * Passes the bytes of the source on, no faster than the client takes them, without a copy. A client that takes nothing
 * while bytes wait is cut: behind konnectivity it would block the tunnel for others.
 */
export async function relay({
  source,
  response,
  stallMs,
  signal,
  cut,
  onTaken,
}: RelayOptions): Promise<RelayEnding> {
  const { promise, resolve } = Promise.withResolvers<RelayEnding>();
  let waitingBytes = 0;
  let progressMs = performance.now();
  // Whoever watches the connection may abort before its own event comes.
  const abort = () => resolve(response.destroyed ? 'ClientGone' : 'Aborted');

  source.on('data', (bytes: Buffer) => {
    if (waitingBytes === 0) progressMs = performance.now();
    waitingBytes += bytes.length;
    const taken = (error?: Error | null) => {
      if (error) return;
      waitingBytes -= bytes.length;
      progressMs = performance.now();
      onTaken(bytes.length);
    };
    if (!response.write(bytes, taken)) source.pause();
  });
  response.on('drain', () => source.resume());
  source.once('end', () => {
    progressMs = performance.now();
    response.end();
  });
  source.once('error', () => resolve('SourceCut'));
  source.once('close', () => {
    if (!source.readableEnded) resolve('SourceCut');
  });
  response.once('finish', () => resolve('Complete'));
  response.once('close', () => resolve('ClientGone'));
  response.on('error', () => resolve('ClientGone'));
  signal.addEventListener('abort', abort, { once: true });
  if (response.destroyed || response.closed) resolve('ClientGone');
  if (source.destroyed) resolve('SourceCut');
  if (signal.aborted) abort();
  const timer = setInterval(() => {
    const isWaiting = waitingBytes > 0 || source.readableEnded;
    if (isWaiting && performance.now() - progressMs >= stallMs) resolve('ClientTooSlow');
  }, stallMs / 5);

  const ending = await promise;
  clearInterval(timer);
  signal.removeEventListener('abort', abort);
  source.destroy();
  // A response that ended would look complete.
  if (ending !== 'Complete') cut();
  return ending;
}
