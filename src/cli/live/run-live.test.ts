import { expect, test } from 'vitest';
import { type CaptureOutput, captureToStandardOutput } from '../../commands/capture-output.ts';
import { readBytes } from '../../pcap/testing/read-capture.ts';
import type { OpenedStream, TapRequest } from '../api/capture-stream.ts';
import { cliTerminal, type TestScreen } from '../testing/cli-terminal.ts';
import { type MemoryStream, memoryStream, recordingBytes } from '../testing/memory-streams.ts';
import { captureSink } from './capture-sink.ts';
import { lineSink } from './line-sink.ts';
import type { LiveSink } from './live-sink.ts';
import type { LivePod } from './live-taps.ts';
import { type PodChange, type RunLive, runLive } from './run-live.ts';

type Answer = MemoryStream | Extract<OpenedStream, { readonly kind: 'refused' }>;
type Scene = Partial<RunLive> & { readonly screen?: TestScreen; readonly writesCapture?: boolean };

const never = new Promise<void>(() => {});

/** `live` of the Pods that are keys; each has its answers, one for each tap that is opened of it. */
function live(
  answers: Readonly<Record<string, readonly Answer[]>>,
  { screen, writesCapture, ...work }: Scene = {},
) {
  const { terminal, ...shown } = cliTerminal(screen);
  const requests: TapRequest[] = [];
  const left = new Map(Object.entries(answers).map(([pod, some]) => [pod, [...some]]));
  const interrupt = new AbortController();
  const hasNames = Object.keys(answers).length > 1;
  const ended = runLive({
    pods: Object.keys(answers).map(podOf),
    changes: undefined,
    async open(request, signal) {
      requests.push(request);
      const next = left.get(request.pod)?.shift();
      if (!next) throw new Error(`no answer is left for ${request.pod}`);
      return 'kind' in next ? next : memoryStream(next, signal);
    },
    asked: {},
    sink:
      writesCapture === true
        ? captureSink(captureToStandardOutput(terminal, 60))
        : lineSink({ terminal, hasNames, hasInterfaces: false }),
    count: Infinity,
    durationMs: Infinity,
    backoffMs: { minMs: 1, maxMs: 2 },
    terminal,
    signal: interrupt.signal,
    ...work,
  });
  return { ended, interrupt, requests, ...shown };
}

function podOf(name: string): LivePod {
  return { key: name, namespace: 'shop', name, node: 'n1' };
}

const podEnded = { reason: 'PodEnded' };
const refused = (status: number, message: string, canRetry = false): Answer => ({
  kind: 'refused',
  status,
  reason: 'X',
  message,
  canRetry,
});

function secondsOf(lines: string): readonly string[] {
  return [...lines.matchAll(/^00:00:(\d\d)\.\d+ ?(\w*)/gm)].map(
    ([, second, pod]) => `${Number(second)} ${pod}`,
  );
}

test('packets of several Pods are lines in time order, with the name of the Pod', async () => {
  const { ended, stdout, stderr, requests } = live({
    web: [{ bytes: recordingBytes('web', [1, 3, 5]), outcome: podEnded }],
    db: [{ bytes: recordingBytes('db', [2, 4]), outcome: podEnded }],
  });
  expect(await ended).toBe(0);
  expect(secondsOf(stdout())).toEqual(['1 web', '2 db', '3 web', '4 db', '5 web']);
  expect(requests).toContainEqual({ kind: 'tap', namespace: 'shop', pod: 'web', node: 'n1' });
  expect(stderr()).toContain('podcap: web: the Pod has ended\n');
  expect(stderr()).toMatch(/podcap: 5 packets of 2 Pods in [0-9.]+ s\n$/);
});

test('packets are shown when they come, and an interruption ends with counts', async () => {
  const { ended, stdout, stderr, interrupt } = live({
    web: [{ bytes: recordingBytes('web', [1, 3]), ending: never }],
    db: [{ bytes: recordingBytes('db', [2]), ending: never }],
  });
  await expect.poll(() => secondsOf(stdout())).toEqual(['1 web', '2 db', '3 web']);
  interrupt.abort(new Error('SIGINT'));
  expect(await ended).toBe(0);
  expect(stderr()).toMatch(/^podcap: 3 packets of 2 Pods in [0-9.]+ s\n$/);
});

test.for([
  [1, 2, 3],
  [1, 2],
])('ends after so many packets: 2 of %j', async (...[seconds]) => {
  const { ended, stdout } = live(
    { web: [{ bytes: recordingBytes('web', seconds), ending: never }] },
    { count: 2 },
  );
  expect(await ended).toBe(0);
  expect(secondsOf(stdout())).toHaveLength(2);
});

test('ends after so long', async () => {
  const { ended, stderr } = live(
    { web: [{ bytes: recordingBytes('web', [1]), ending: never }] },
    { durationMs: 500 },
  );
  expect(await ended).toBe(0);
  expect(stderr()).toContain('1 packet of 1 Pod');
});

test('ends after so long also where no tap can be opened', async () => {
  const { ended, stderr } = live(
    {},
    {
      pods: [podOf('web')],
      open: (_, signal) =>
        new Promise((__, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      durationMs: 20,
    },
  );
  expect(await ended).toBe(1);
  expect(stderr()).toBe('podcap: no Pod was watched\n');
});

test('ends after so long also where all taps of the Node are taken', async () => {
  const { ended, stderr } = live({ web: [refused(429, 'the Node has no place', true)] }, { durationMs: 20 });
  expect(await ended).toBe(1);
  expect(stderr()).toBe(
    'podcap: web: the Node has no place; it is tried again\npodcap: 1 Pod was not watched at the end\n',
  );
});

test('a Node cannot pass its packets off as those of another Pod', async () => {
  const { ended, stdout, stderr } = live({
    web: [{ bytes: recordingBytes('web', [1]), outcome: podEnded }],
    db: [{ bytes: recordingBytes('web', [2]), outcome: podEnded }],
  });
  expect(await ended).toBe(0);
  expect(secondsOf(stdout())).toEqual(['1 web', '2 db']);
  expect(stderr()).toContain(
    'podcap: the Node of db sends packets of an interface called shop/web/eth0, which is none of db: ' +
      'it is shown as shop/db/shop:web:eth0\n',
  );
});

test('packets that cannot be read are missing', async () => {
  const bytes = Buffer.from(recordingBytes('web', [1, 2, 3]));
  bytes.fill(0xff, bytes.indexOf('web at 2') - 20, bytes.indexOf('web at 2'));
  const { ended, stdout, stderr } = live({ web: [{ bytes, outcome: podEnded }] });
  expect(await ended).toBe(3);
  expect(secondsOf(stdout())).toHaveLength(2);
  expect(stderr()).toMatch(/^podcap: packets of web are missing: web, byte \d+: /);
});

test('a stream that is cut is opened again, and what is missing is said', async () => {
  const { ended, stdout, stderr } = live({
    web: [
      { bytes: recordingBytes('web', [1]), outcome: { kind: 'cut', message: 'the hub is gone' } },
      refused(503, 'no agent is connected', true),
      refused(404, 'no agent has a running Pod web'),
      { bytes: recordingBytes('web', [2]), outcome: podEnded },
    ],
  });
  expect(await ended).toBe(3);
  expect(secondsOf(stdout())).toHaveLength(2);
  expect(stderr().split('\n').slice(0, 2)).toEqual([
    'podcap: web: the hub is gone; it is tried again',
    expect.stringMatching(/^podcap: web is watched again: what passed in [0-9.]+ s is missing$/),
  ]);
});

test('an agent that stops is followed by the next one', async () => {
  const { ended, stdout } = live({
    web: [
      { bytes: recordingBytes('web', [1]), outcome: { reason: 'AgentStopping', isComplete: false } },
      { bytes: recordingBytes('web', [2]), outcome: podEnded },
    ],
  });
  expect(await ended).toBe(3);
  expect(secondsOf(stdout())).toHaveLength(2);
});

test('a hub that was never there is not waited for without an end', async () => {
  const gone = refused(503, 'the hub does not answer', true);
  const { ended, requests, stderr } = live({ web: Array.from({ length: 9 }, () => gone) });
  expect(await ended).toBe(1);
  expect(requests).toHaveLength(7);
  expect(stderr()).toBe(
    'podcap: web: the hub does not answer; it is tried again\n' +
      'podcap: web is not watched: the hub does not answer (tried 7 times)\n',
  );
});

test('what the agent could not send is counted', async () => {
  const { ended, stderr } = live({
    web: [
      {
        bytes: recordingBytes('web', [1]),
        gaps: [
          { reason: 'ReaderTooSlow', packets: 4 },
          { reason: 'Dropped', packets: 1 },
        ],
        outcome: podEnded,
      },
    ],
  });
  expect(await ended).toBe(3);
  expect(stderr()).toMatch(/1 packet of 1 Pod in .* s; 5 packets are missing/);
});

test('a Pod that is refused does not end the others', async () => {
  const { ended, stdout, stderr } = live({
    web: [{ bytes: recordingBytes('web', [1]), outcome: podEnded }],
    host: [refused(403, 'the Pod uses the host network')],
  });
  expect(await ended).toBe(3);
  expect(secondsOf(stdout())).toEqual(['1 web']);
  expect(stderr()).toContain('podcap: host is not watched: the Pod uses the host network\n');
});

test('nothing was done if every Pod is refused', async () => {
  const { ended, stderr } = live({ web: [refused(400, 'filter="tcp prt": syntax error')] });
  expect(await ended).toBe(1);
  expect(stderr()).toBe('podcap: web is not watched: filter="tcp prt": syntax error\n');
});

test('Pods that come are watched, and those that go are not waited for', async () => {
  const { promise: isOver, resolve: endChanges } = Promise.withResolvers<void>();
  async function* changes(): AsyncGenerator<PodChange> {
    yield { kind: 'came', pod: podOf('web-2') };
    yield { kind: 'left', key: 'web-1' };
    await isOver;
  }
  const { ended, stdout, stderr } = live(
    {
      'web-1': [{ bytes: recordingBytes('web-1', [1]), ending: never }],
      'web-2': [{ bytes: recordingBytes('web-2', [2]), outcome: podEnded }],
    },
    { pods: [podOf('web-1')], changes, goneAfterMs: 10 },
  );
  await expect.poll(() => secondsOf(stdout()).length).toBeGreaterThan(0);
  endChanges();
  expect(await ended).toBe(0);
  expect(stderr()).toContain('podcap: web-2 has come, and is watched\n');
  expect(stderr()).toContain('podcap: web-1: the Pod is gone\n');
});

test('programs get a capture with the interfaces of all Pods', async () => {
  const { ended, stdoutBytes } = live(
    {
      web: [{ bytes: recordingBytes('web', [1, 3]), outcome: podEnded }],
      db: [{ bytes: recordingBytes('db', [2]), outcome: podEnded }],
    },
    { writesCapture: true },
  );
  expect(await ended).toBe(0);
  const { packets, interfaces, damage } = await readBytes(stdoutBytes());
  expect(damage).toEqual([]);
  expect(packets.map(({ data }) => data)).toEqual(['web at 1', 'db at 2', 'web at 3']);
  expect(interfaces.map(({ name }) => name)).toEqual(['shop/web/eth0', 'shop/db/eth0']);
});

test('the header of a capture does not wait for a packet', async () => {
  const { stdoutBytes, interrupt, ended } = live(
    { web: [{ bytes: recordingBytes('web', []), ending: never }] },
    { writesCapture: true },
  );
  await expect.poll(() => stdoutBytes().length).toBeGreaterThan(0);
  interrupt.abort(new Error('SIGINT'));
  expect(await ended).toBe(0);
});

test('a reader that has enough ends the command', async () => {
  const output: CaptureOutput = {
    write: async () => ({ kind: 'closed' }),
    complete: async () => ({ kind: 'written' }),
    [Symbol.asyncDispose]: async () => {},
  };
  const { ended } = live(
    { web: [{ bytes: recordingBytes('web', [1]), ending: never }] },
    { sink: captureSink(output) },
  );
  expect(await ended).toBe(0);
});

test('an output that takes nothing any more does not keep an interrupted command', async () => {
  const isWritten = Promise.withResolvers<void>();
  const output: CaptureOutput = {
    write() {
      isWritten.resolve();
      return new Promise(() => {});
    },
    complete: async () => ({ kind: 'written' }),
    [Symbol.asyncDispose]: async () => {},
  };
  const { ended, interrupt } = live(
    { web: [{ bytes: recordingBytes('web', [1]), ending: never }] },
    { sink: captureSink(output), lastWriteMs: 10 },
  );
  await isWritten.promise;
  interrupt.abort(new Error('SIGINT'));
  expect(await ended).toBe(0);
});

test.for([
  ['on a terminal', {}, true],
  ['with NO_COLOR', { NO_COLOR: '1' }, false],
] as const)('names have colours %s', async ([, env, hasColours]) => {
  const { ended, stdout } = live(
    {
      web: [{ bytes: recordingBytes('web', [1]), outcome: podEnded }],
      db: [{ bytes: recordingBytes('db', [2]), outcome: podEnded }],
    },
    { screen: { isTTY: true, env } },
  );
  expect(await ended).toBe(0);
  expect(stdout().includes('\u001b[36mweb\u001b[39m')).toBe(hasColours);
});

test('a Pod whose tap has ended is forgotten while others are watched', async () => {
  const { terminal } = cliTerminal();
  const forgotten: string[] = [];
  const sink: LiveSink = {
    ...lineSink({ terminal, hasNames: true, hasInterfaces: false }),
    forget: (pod) => forgotten.push(pod),
  };
  const { ended, interrupt } = live(
    {
      web: [{ bytes: recordingBytes('web', [1]), outcome: podEnded }],
      db: [{ bytes: recordingBytes('db', [2]), ending: never }],
    },
    { sink },
  );
  await expect.poll(() => forgotten).toEqual(['web']);
  interrupt.abort(new Error('SIGINT'));
  expect(await ended).toBe(0);
});
