import { readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readBytes } from '../../pcap/testing/read-capture.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import type { OpenedStream, RecordingRequest } from '../api/capture-stream.ts';
import { CommandFailure } from '../cli-command.ts';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { memoryStream, recordingBytes } from '../testing/memory-streams.ts';
import { type SaveWork, saveRecordings } from './save-recordings.ts';

type Answers = Readonly<Record<string, readonly OpenedStream[]>>;

/** Runs `save` of the Pods that are keys; each has its answers, one for each try. */
async function save(answers: Answers, { to = 'out.pcapng', ...work }: Partial<SaveWork> = {}) {
  const folder = await temporaryFolder();
  const screen = cliTerminal();
  const requests: RecordingRequest[] = [];
  const tries = new Map(Object.entries(answers).map(([pod, some]) => [pod, [...some]]));
  const run = async (options: Partial<SaveWork['options']> = {}) => {
    try {
      return await saveRecordings({
        options: {
          format: 'pcapng',
          side: undefined,
          names: false,
          overwrite: false,
          ...options,
        },
        to: to === '-' ? '-' : join(folder.path, to),
        sources: Object.keys(answers).map((pod) => ({
          name: pod,
          request: { kind: 'recording', namespace: 'shop', pod },
          expectedBytes: undefined,
        })),
        warnings: [],
        async open(request) {
          requests.push(request);
          const next = tries.get(request.pod)?.shift();
          if (!next) throw new Error('no answer is left');
          return next;
        },
        context: { terminal: screen.terminal, signal: AbortSignal.timeout(60_000) },
        timing: { mostTries: 3, backoffMs: { minMs: 1, maxMs: 2 } },
        ...work,
      });
    } catch (error) {
      if (!(error instanceof CommandFailure)) throw error;
      screen.terminal.stderr.write(`failed with ${error.exitCode}: ${error.message}\n`);
      return error.exitCode;
    }
  };
  return {
    folder,
    screen,
    requests,
    run,
    path: (name: string) => join(folder.path, name),
    names: () => readdir(folder.path),
    read: async () => await readBytes(await readFile(join(folder.path, to))),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const refused = (message: string, canRetry: boolean): OpenedStream => ({
  kind: 'refused',
  status: canRetry ? 503 : 404,
  reason: canRetry ? 'ServiceUnavailable' : 'NotFound',
  message,
  canRetry,
});

test('recordings are merged in time order, with the name of each Pod', async () => {
  await using scene = await save({
    web: [memoryStream({ bytes: recordingBytes('web', [1, 3, 5]) })],
    db: [memoryStream({ bytes: recordingBytes('db', [2, 4]) })],
  });
  expect(await scene.run()).toBe(0);
  const { packets, interfaces } = await scene.read();
  expect(packets.map(({ data }) => data)).toEqual(['web at 1', 'db at 2', 'web at 3', 'db at 4', 'web at 5']);
  expect(interfaces.map(({ name }) => name)).toEqual(['shop/web/eth0', 'shop/db/eth0']);
  expect(await scene.names()).toEqual(['out.pcapng']);
  expect(scene.screen.stderr()).toMatch(
    /^podcap: saved 5 packets of 2 Pods \(\d{3} bytes\) to .*out\.pcapng in [0-9.]+ s\n$/,
  );
});

test('a Node cannot pass its packets off as those of another Pod', async () => {
  await using scene = await save({
    web: [memoryStream({ bytes: recordingBytes('web', [1]) })],
    db: [memoryStream({ bytes: recordingBytes('web', [2]) })],
  });
  expect(await scene.run()).toBe(0);
  const { interfaces, packets } = await scene.read();
  expect(interfaces.map(({ name }) => name)).toEqual(['shop/web/eth0', 'shop/db/shop:web:eth0']);
  expect(packets.map(({ interfaceIndex }) => interfaceIndex)).toEqual([0, 1]);
  expect(scene.screen.stderr().match(/the Node of db sends packets of an interface called/g)).toHaveLength(1);
});

test('a stream that is cut or damaged starts over, alone', async () => {
  const whole = recordingBytes('web', [1, 3]);
  await using scene = await save({
    web: [
      memoryStream({ bytes: recordingBytes('web', [1]), outcome: { kind: 'cut', message: 'hub is gone' } }),
      memoryStream({ bytes: whole.subarray(0, -9), outcome: { kind: 'corrupt', message: 'digest differs' } }),
      memoryStream({ bytes: whole }),
    ],
    db: [memoryStream({ bytes: recordingBytes('db', [2]) })],
  });
  expect(await scene.run()).toBe(0);
  expect((await scene.read()).packets.map(({ data }) => data)).toEqual(['web at 1', 'db at 2', 'web at 3']);
  expect(scene.requests.map(({ pod }) => pod).toSorted()).toEqual(['db', 'web', 'web', 'web']);
  const stderr = scene.screen.stderr();
  expect(stderr).toContain('web: the download was cut: hub is gone; it is started over in 0.0 s');
  expect(stderr).toContain('web: the download is damaged: digest differs; it is started over in 0.0 s');
});

test('a hub that is away for a while is waited for', async () => {
  await using scene = await save({
    web: [
      refused('the agent of Node n1 is not connected', true),
      memoryStream({ bytes: recordingBytes('web', [1]) }),
    ],
  });
  expect(await scene.run()).toBe(0);
  expect(scene.screen.stderr()).toContain('web: the agent of Node n1 is not connected; it is started over');
});

test('a hub that was never there is not waited for as one that is restarted', async () => {
  const gone = refused('the hub does not answer', true);
  const timing = { mostTries: 14, backoffMs: { minMs: 1, maxMs: 2 } };
  await using scene = await save({ web: Array.from({ length: 14 }, () => gone) }, { timing });
  expect(await scene.run()).toBe(1);
  expect(scene.requests).toHaveLength(6);
  expect(scene.screen.stderr().match(/started over/g)).toHaveLength(1);
});

test('a Node that is busy is waited for as long as others may take, and as it asks for', async () => {
  const busy: OpenedStream = {
    kind: 'refused',
    status: 429,
    reason: 'TooManyRequests',
    message: 'you read 6 recordings of this Node',
    canRetry: true,
  };
  const answers = [
    { ...busy, retryAfterMs: 100 },
    ...Array.from({ length: 9 }, () => busy),
    memoryStream({ bytes: recordingBytes('web', [1]) }),
  ];
  await using scene = await save({ web: answers });
  expect(await scene.run()).toBe(0);
  expect(scene.screen.stderr()).toContain('you read 6 recordings of this Node; it is started over in 0.1 s');
});

test('a Node that stays busy is given up', async () => {
  const busy = { ...refused('no place', true), status: 429 };
  await using scene = await save(
    { web: [busy, busy] },
    { timing: { busyMs: 1, backoffMs: { minMs: 4, maxMs: 4 } } },
  );
  expect(await scene.run()).toBe(1);
  expect(scene.screen.stderr()).toContain('web is not in it: no place (tried for 0 s)');
});

test('a hub that stays away is waited for once, and not for each Pod again', async () => {
  const away = { ...refused('no hub', true), reason: 'HubUnavailable' };
  const pods = Array.from({ length: 20 }, (_, number) => `pod-${number}`);
  await using scene = await save(
    {
      web: [memoryStream({ bytes: recordingBytes('web', [1]) })],
      ...Object.fromEntries(pods.map((pod) => [pod, Array.from({ length: 50 }, () => away)])),
    },
    { timing: { mostTries: 50, outageMs: 20, backoffMs: { minMs: 10, maxMs: 10 } } },
  );
  expect(await scene.run()).toBe(3);
  expect(scene.requests.filter(({ pod }) => pod === 'pod-19')).toHaveLength(1);
  expect(scene.screen.stderr()).toContain('no hub (it has not answered for 0 s)');
});

test('what a silent download waits for is said', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const request: RecordingRequest = { kind: 'recording', namespace: 'shop', pod: 'web' };
  await using scene = await save(
    { web: [memoryStream({ bytes: recordingBytes('web', [1]), released })] },
    { timing: { silenceMs: 1 }, sources: [{ name: 'web', node: 'n1', request, expectedBytes: undefined }] },
  );
  const saved = scene.run();
  await expect
    .poll(scene.screen.stderr, { timeout: 10_000 })
    .toBe('podcap: web: nothing has come for 0.001 s: waiting for Node n1\n');
  release();
  expect(await saved).toBe(0);
});

test('what cannot be downloaded is missing, and the file says so', async () => {
  await using scene = await save(
    {
      web: [memoryStream({ bytes: recordingBytes('web', [1]), outcome: { dropped: 1, unseen: 7 } })],
      db: [refused('nothing is recorded of Pod db', false)],
      cache: [1, 2, 3].map(() => refused('the agent does not answer\u001b[2J', true)),
    },
    { warnings: ['Node n3 is not connected: its captures are missing'] },
  );
  expect(await scene.run()).toBe(3);
  const stderr = scene.screen.stderr();
  const missing = [
    'db is not in it: nothing is recorded of Pod db',
    'cache is not in it: the agent does not answer\\u001b[2J (tried 3 times)',
    'web lacks 1 packet dropped, at least 7 packets that the interface counted and did not show',
    'Node n3 is not connected: its captures are missing',
  ];
  expect(stderr.split('\n').slice(-6)).toEqual([
    ...missing.slice(0, 2).map((line) => `podcap: ${line}`),
    'podcap: web: 1 packet dropped',
    'podcap: web: at least 7 packets that the interface counted and did not show',
    `podcap: ${missing[3]}`,
    '',
  ]);
  const file = await readFile(scene.path('out.pcapng'), 'latin1');
  expect(file).toContain(missing.join('\n'));
});

test('what is missing of very many Pods is all in the file', async () => {
  const pods = Array.from({ length: 150 }, (_, number) => `pod-${number}`);
  const answer = (pod: string) =>
    memoryStream({ bytes: recordingBytes(pod, [1]), outcome: { dropped: 3, notes: ['x'.repeat(600)] } });
  await using scene = await save(Object.fromEntries(pods.map((pod) => [pod, [answer(pod)]])));
  expect(await scene.run()).toBe(0);
  const file = await readFile(scene.path('out.pcapng'), 'latin1');
  expect(pods.filter((pod) => !file.includes(`${pod} lacks ${'x'.repeat(600)}, 3 packets dropped`))).toEqual(
    [],
  );
  expect((await scene.read()).packets).toHaveLength(150);
});

test.for([
  [{ isComplete: false, reason: 'HeldTooMuch', message: 'files were deleted' }, []],
  [{}, [{ reason: 'Pruned', packets: 4 }]],
] as const)('a recording that was sent in part is reported: %j', async ([outcome, gaps]) => {
  await using scene = await save({
    web: [memoryStream({ bytes: recordingBytes('web', [1]), outcome, gaps })],
  });
  expect(await scene.run()).toBe(3);
  expect(scene.screen.stderr()).toMatch(
    /web lacks (what follows the part that was sent \(files were deleted\)|4 packets pruned while they were read)/,
  );
});

test('a download that is no capture is missing, and the others are saved', async () => {
  await using scene = await save({
    web: [memoryStream({ bytes: recordingBytes('web', [1]) })],
    db: [memoryStream({ bytes: Buffer.from('this is no capture, but what was sent') })],
    cache: [memoryStream({ bytes: recordingBytes('cache', [2]) })],
  });
  expect(await scene.run()).toBe(3);
  expect((await scene.read()).packets.map(({ data }) => data)).toEqual(['web at 1', 'cache at 2']);
  expect(scene.screen.stderr()).toContain('saved 2 packets of 2 Pods');
  expect(scene.screen.stderr()).toContain('db is not in it: what was downloaded is no capture: ');
});

test('without a single recording, there is no file', async () => {
  await using scene = await save({ web: [refused('nothing is recorded of Pod web', false)] });
  expect(await scene.run()).toBe(1);
  expect(await scene.names()).toEqual([]);
  expect(scene.screen.stderr()).toContain(
    'nothing was saved\nweb is not in it: nothing is recorded of Pod web',
  );
});

test('what is the same for several Pods is said once', async () => {
  const gone = refused('the hub is not installed\nask an administrator', false);
  await using scene = await save({ web: [gone], db: [gone] });
  expect(await scene.run()).toBe(1);
  expect(scene.screen.stderr()).toContain(
    'web, db are not in it: the hub is not installed\nask an administrator\n',
  );
});

test('a file that is there stays, unless it may be replaced', async () => {
  await using scene = await save({ web: [memoryStream({ bytes: recordingBytes('web', [1]) })] });
  await writeFile(scene.path('out.pcapng'), 'older');
  expect(await scene.run()).toBe(1);
  expect(scene.requests).toEqual([]);
  expect(await readFile(scene.path('out.pcapng'), 'utf8')).toBe('older');
  expect(await scene.run({ overwrite: true })).toBe(0);
  expect((await scene.read()).packets).toHaveLength(1);
});

test('two runs for the same file: the second one is refused, and the first one is not disturbed', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await using scene = await save({ web: [memoryStream({ bytes: recordingBytes('web', [1]), released })] });
  const first = scene.run();
  await expect.poll(() => scene.requests.length).toBe(1);
  expect(await scene.run()).toBe(1);
  release();
  expect(await first).toBe(0);
  expect(scene.screen.stderr()).toContain('out.pcapng.part is already there');
});

test('standard output gets nothing but the capture', async () => {
  await using scene = await save(
    { web: [memoryStream({ bytes: recordingBytes('web', [1, 2]) })] },
    { to: '-' },
  );
  expect(await scene.run()).toBe(0);
  expect((await readBytes(scene.screen.stdoutBytes())).packets.map(({ data }) => data)).toEqual([
    'web at 1',
    'web at 2',
  ]);
});

test('a link to a device stays, and there is no part file', async () => {
  await using scene = await save({ web: [memoryStream({ bytes: recordingBytes('web', [1]) })] });
  await symlink('/dev/null', scene.path('out.pcapng'));
  expect(await scene.run()).toBe(0);
  expect([await scene.names(), await readlink(scene.path('out.pcapng'))]).toEqual([
    ['out.pcapng'],
    '/dev/null',
  ]);
});

test('pcap has the packets without interfaces', async () => {
  await using scene = await save({ web: [memoryStream({ bytes: recordingBytes('web', [1, 2]) })] });
  expect(await scene.run({ format: 'pcap' })).toBe(0);
  const { packets, interfaces } = await scene.read();
  expect([packets.length, interfaces[0]?.name]).toEqual([2, undefined]);
});

test('an interrupted command leaves nothing', async () => {
  const interrupt = new AbortController();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const screen = cliTerminal();
  await using scene = await save(
    { web: [memoryStream({ bytes: recordingBytes('web', [1]), released })] },
    { context: { terminal: screen.terminal, signal: interrupt.signal } },
  );
  const saved = scene.run();
  saved.catch(() => {});
  await expect.poll(() => scene.requests.length).toBe(1);
  expect(await scene.names()).toEqual(['out.pcapng.part']);
  interrupt.abort(new Error('SIGINT was received'));
  release();
  await expect(saved).rejects.toThrow('SIGINT was received');
  expect(await scene.names()).toEqual([]);
  expect(screen.stderr()).toBe('podcap: interrupted: nothing was saved\n');
});
