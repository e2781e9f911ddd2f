import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../../base/until.ts';
import { listenOnLoopback } from '../../testbed/loopback-port.ts';
import { type RelayEnding, type RelayOptions, relay } from './relay.ts';

const patient = 60_000;

type Relayed = {
  readonly response: IncomingMessage;
  readonly ending: Promise<RelayEnding>;
  readonly taken: () => number;
  /** What the client leaves by. */
  readonly leave: () => void;
};

/** Relays the source to a real client, whose answer nobody reads yet. */
async function relayed(
  source: Readable,
  { stallMs = patient, signal = new AbortController().signal }: Partial<RelayOptions> = {},
): Promise<Relayed> {
  const ending = Promise.withResolvers<RelayEnding>();
  let taken = 0;
  const onTaken = (bytes: number) => {
    taken += bytes;
  };
  const server = createServer((_, response: ServerResponse) => {
    response.writeHead(200).flushHeaders();
    const cut = () => void response.destroy();
    void relay({ source, response, stallMs, signal, cut, onTaken }).then(ending.resolve, ending.reject);
  });
  const port = await listenOnLoopback(server);
  const sent = request({ port, agent: false });
  sent.on('error', () => {}).end();
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (!response) throw new Error('no response');
  response.on('error', () => {});
  onTestFinished(() => {
    sent.destroy();
    server.close();
    server.closeAllConnections();
  });
  return { response, ending: ending.promise, taken: () => taken, leave: () => void sent.destroy() };
}

async function readToEnd(response: IncomingMessage): Promise<{ bytes: number; isComplete: boolean }> {
  let bytes = 0;
  response.on('data', (part: Buffer) => {
    bytes += part.length;
  });
  response.resume();
  await new Promise((resolve) => response.once('close', resolve));
  return { bytes, isComplete: response.complete };
}

/** A source that never ends by itself and gives as much as is asked for. */
function endless(onRead: (bytes: number) => void = () => {}): Readable {
  const bytes = Buffer.alloc(16 * 1024, 7);
  return new Readable({
    highWaterMark: 64 * 1024,
    read() {
      onRead(bytes.length);
      this.push(bytes);
    },
  });
}

test('an empty source is an empty answer', async () => {
  const { response, ending } = await relayed(Readable.from([]));
  expect(await readToEnd(response)).toEqual({ bytes: 0, isComplete: true });
  expect(await ending).toBe('Complete');
});

test('every byte arrives, however it is cut into pieces, and however source and client pause', async () => {
  const piece = fc.record({ bytes: fc.integer({ min: 1, max: 200_000 }), pauses: fc.nat(3) });
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(3), { maxLength: 12 }), run),
    { numRuns: 40 },
  );

  async function run(
    pieces: readonly { readonly bytes: number; readonly pauses: number }[],
    clientPauses: readonly number[],
  ): Promise<void> {
    const sentHash = createHash('sha256');
    const takenHash = createHash('sha256');
    const total = pieces.reduce((sum, { bytes }) => sum + bytes, 0);
    const source = Readable.from(
      (async function* () {
        for (const { bytes, pauses } of pieces) {
          await turns(pauses);
          const part = randomBytes(bytes);
          sentHash.update(part);
          yield part;
        }
      })(),
      { objectMode: false },
    );
    const { response, ending, taken } = await relayed(source);
    let reads = 0;
    for await (const part of response) {
      if (!Buffer.isBuffer(part)) throw new Error('no bytes');
      takenHash.update(part);
      await turns(clientPauses[reads] ?? 0);
      reads += 1;
    }
    expect(await ending).toBe('Complete');
    expect(taken()).toBe(total);
    expect(takenHash.digest('hex')).toBe(sentHash.digest('hex'));
  }
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}

test.for([
  ['an error', (source: Readable) => source.destroy(new Error('the agent is gone'))],
  ['no word', (source: Readable) => source.destroy()],
] as const)('a source that is cut with %s ends no answer', async ([, cut]) => {
  const source = new Readable({ read() {} });
  const { response, ending } = await relayed(source);
  source.push('some bytes');
  await once(response, 'readable');
  cut(source);
  expect(await readToEnd(response)).toEqual({ bytes: 10, isComplete: false });
  expect(await ending).toBe('SourceCut');
});

test('a source that was cut before it is relayed ends no answer', async () => {
  const source = new Readable({ read() {} });
  source.on('error', () => {});
  source.destroy(new Error('the agent is gone'));
  const { response, ending } = await relayed(source);
  expect(await readToEnd(response)).toEqual({ bytes: 0, isComplete: false });
  expect(await ending).toBe('SourceCut');
});

test('a client that takes nothing is cut, and costs no more than what was in flight', async () => {
  let read = 0;
  const source = endless((bytes) => {
    read += bytes;
  });
  const { response, ending, taken } = await relayed(source, { stallMs: 300 });
  response.pause();
  expect(await ending).toBe('ClientTooSlow');
  expect(source.destroyed).toBe(true);
  // What the kernels of both ends hold was taken; the rest is what waited here.
  expect(read - taken()).toBeLessThanOrEqual(512 * 1024);
});

test('a client that takes nothing of the tail is cut too', async () => {
  const source = Readable.from([Buffer.alloc(32 * 1024 * 1024)], { objectMode: false });
  const { response, ending } = await relayed(source, { stallMs: 300 });
  response.pause();
  expect(await ending).toBe('ClientTooSlow');
});

test('a source that is silent for long is no stall', async () => {
  const source = new Readable({ read() {} });
  const { response, ending, taken } = await relayed(source, { stallMs: 100 });
  const read = readToEnd(response);
  source.push('a');
  await until(() => taken() === 1, { what: 'the first byte' });
  // Silence has to last longer than the stall.
  await sleep(300);
  source.push('b');
  source.push(null);
  expect(await read).toEqual({ bytes: 2, isComplete: true });
  expect(await ending).toBe('Complete');
});

test('after a silence, a client has as long as ever to take what comes', async () => {
  const stallMs = 2_000;
  const source = new Readable({ read() {} });
  const { response, ending } = await relayed(source, { stallMs });
  response.pause();
  await sleep(stallMs * 1.1);
  source.push(Buffer.alloc(16 * 1024 * 1024));
  source.push(null);
  // Long enough for the relay to look at it.
  await sleep(stallMs * 0.4);
  expect(await readToEnd(response)).toEqual({ bytes: 16 * 1024 * 1024, isComplete: true });
  expect(await ending).toBe('Complete');
});

test('a client that goes away ends its source at once', async () => {
  const source = endless();
  const { ending, leave } = await relayed(source);
  leave();
  expect(await ending).toBe('ClientGone');
  expect(source.destroyed).toBe(true);
});

test('a signal cuts the answer, before the relay or during it', async () => {
  const stop = new AbortController();
  const source = endless();
  const { response, ending } = await relayed(source, { signal: stop.signal });
  await once(response, 'readable');
  stop.abort();
  expect(await ending).toBe('Aborted');
  expect(source.destroyed).toBe(true);
  expect((await readToEnd(response)).isComplete).toBe(false);
  const early = await relayed(endless(), { signal: AbortSignal.abort() });
  expect(await early.ending).toBe('Aborted');
});
