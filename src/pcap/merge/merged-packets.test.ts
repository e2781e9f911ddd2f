import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import type { Gap, MergeInput, MergeOptions } from './merge-input.ts';
import { MergedPackets } from './merged-packets.ts';
import { type ListedPacket, listedPackets, orderOf } from './testing/listed-packets.ts';

afterEach(() => void vi.useRealTimers());

test('packets come in the order of their times, and of the inputs where times are equal', async () => {
  await using merged = merge([at(10, 30, 30, 50), at(10, 20, 40), at()]);
  expect(await orderOf(merged)).toEqual(['0:10', '1:10', '1:20', '0:30', '0:30', '1:40', '0:50']);
  expect(merged.counts.map(({ packets }) => packets)).toEqual([4, 3, 0]);
});

test('an input whose clock was set back keeps its order and its times, delays nobody, and is counted', async () => {
  await using merged = merge([at(10, 100, 20, 30, 110), at(50, 105, 120)]);
  expect(await orderOf(merged)).toEqual(['0:10', '1:50', '0:100', '0:20', '0:30', '1:105', '0:110', '1:120']);
  expect(merged.counts).toEqual([
    { packets: 5, stepsBack: 1, earlier: 2, furthestBackSeconds: 80e-9, late: 0 },
    { packets: 3, stepsBack: 0, earlier: 0, furthestBackSeconds: 0, late: 0 },
  ]);
});

test('nanoseconds decide, also beyond 2038', async () => {
  const beyond = 5_000_000_000;
  await using merged = merge([at(beyond * 1e9 + 2_048), at(beyond * 1e9)]);
  expect((await orderOf(merged)).map((each) => each[0])).toEqual(['1', '0']);
});

test('for any inputs: the order is that of sorting all packets by the latest time of their input so far', async () => {
  const inputs = fc.array(
    fc.array(fc.record({ ns: fc.nat(60), isWaited: fc.boolean() }), { maxLength: 20 }),
    {
      maxLength: 8,
    },
  );
  await fc.assert(
    fc.asyncProperty(inputs, async (given) => {
      await using merged = merge(
        given.map((packets) =>
          packets.map(({ ns, isWaited }) => ({ ns, ...(isWaited && { after: Promise.resolve() }) })),
        ),
      );
      expect(await orderOf(merged)).toEqual(sorted(given.map((packets) => packets.map(({ ns }) => ns))));
    }),
    { numRuns: 2_000 },
  );
});

test('an input is opened only when the time of its first packet is reached, and closed at its end', async () => {
  const log: string[] = [];
  const lazy = (name: string, ns: number): MergeInput => ({
    startsAt: { seconds: 0, nanoseconds: ns },
    open: async () => {
      log.push(`opened ${name}`);
      return listedPackets([{ ns }, { ns: ns + 1 }], () => log.push(`closed ${name}`));
    },
  });
  await using merged = new MergedPackets([lazy('b', 20), lazy('a', 10)], options([]));
  expect(await orderOf(merged)).toEqual(['1:10', '1:11', '0:20', '0:21']);
  expect(log).toEqual(['opened a', 'closed a', 'opened b', 'closed b']);
});

test('an input that is slow delays the others no more, and its packets come when they are there', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const gaps: Gap[] = [];
  await using merged = merge([[{ ns: 10 }, { ns: 15, after: promise }, { ns: 40 }], at(20, 30)], {
    ...options(gaps),
    slowAfterMs: 50,
  });
  const order: string[] = [];
  for (let count = 0; count < 3; count += 1) {
    await merged.next();
    order.push(`${merged.input}:${merged.reader.packet.nanoseconds}`);
  }
  expect(gaps).toEqual([{ input: 0, kind: 'slow' }]);
  resolve();
  expect([...order, ...(await orderOf(merged))]).toEqual(['0:10', '1:20', '1:30', '0:15', '0:40']);
  expect(gaps).toEqual([
    { input: 0, kind: 'slow' },
    { input: 0, kind: 'resumed' },
  ]);
  expect(merged.counts[0]).toMatchObject({ packets: 3, stepsBack: 0, late: 1 });
});

test('a slow input that comes back while a packet of another is being used changes nothing of that packet', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await using merged = merge([[{ ns: 1 }, { ns: 2, after: promise }, { ns: 3 }], at(10, 20, 30)], {
    slowAfterMs: 50,
  });
  await merged.next();
  await merged.next();
  expect([merged.input, merged.reader.packet.nanoseconds]).toEqual([1, 10]);
  resolve();
  await new Promise(setImmediate);
  expect([merged.input, merged.reader.packet.nanoseconds]).toEqual([1, 10]);
  expect(await orderOf(merged)).toEqual(['0:2', '0:3', '1:20', '1:30']);
});

test('inputs that all are late keep their order: nobody waits for what could go on', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const gaps: Gap[] = [];
  await using merged = merge([[{ ns: 20, after: first.promise }], [{ ns: 10, after: second.promise }]], {
    ...options(gaps),
    slowAfterMs: 50,
  });
  const order = orderOf(merged);
  await timePasses();
  // They have their time from now on, not from some earlier moment.
  vi.advanceTimersByTime(40);
  first.resolve();
  await new Promise(setImmediate);
  vi.advanceTimersByTime(40);
  await new Promise(setImmediate);
  second.resolve();
  expect(await order).toEqual(['1:10', '0:20']);
  expect(gaps).toEqual([]);
});

test('inputs that are slow and all that is left keep their order again', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const gaps: Gap[] = [];
  await using merged = merge(
    [[{ ns: 40, after: first.promise }], [{ ns: 30, after: second.promise }], at(10)],
    { ...options(gaps), slowAfterMs: 50 },
  );
  const next = merged.next();
  await timePasses();
  await next;
  expect(gaps.map(({ kind }) => kind)).toEqual(['slow', 'slow']);
  const order = orderOf(merged);
  await timePasses();
  first.resolve();
  await new Promise(setImmediate);
  second.resolve();
  expect(await order).toEqual(['1:30', '0:40']);
  expect(gaps.map(({ input, kind }) => `${input} ${kind}`)).toEqual([
    '0 slow',
    '1 slow',
    '0 resumed',
    '1 resumed',
  ]);
});

test('an input that stays slow is reported once', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const gaps: Gap[] = [];
  await using merged = merge(
    [[{ ns: 40, after: first.promise }], [{ ns: 30, after: second.promise }], at(10)],
    { ...options(gaps), slowAfterMs: 50 },
  );
  const order = orderOf(merged);
  await timePasses();
  first.resolve();
  await timePasses();
  second.resolve();
  expect(await order).toEqual(['2:10', '0:40', '1:30']);
  expect(gaps.map(({ input, kind }) => `${input} ${kind}`)).toEqual([
    '0 slow',
    '1 slow',
    '0 resumed',
    '1 resumed',
  ]);
});

test('inputs that stay silent are given up when there is nothing else, and are closed', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const never = new Promise<void>(() => {});
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const gaps: Gap[] = [];
  const closed: string[] = [];
  const inputs: MergeInput[] = [
    { open: async () => listedPackets([{ ns: 5 }, { ns: 40, after: never }], () => closed.push('read')) },
    { open: async () => (await opened, listedPackets(at(1), () => closed.push('late'))) },
    { open: async () => listedPackets(at(10)) },
  ];
  await using merged = new MergedPackets(inputs, { ...options(gaps), slowAfterMs: 50, silentAfterMs: 150 });
  const order = orderOf(merged);
  for (let times = 0; times < 3; times += 1) await timePasses();
  expect(await order).toEqual(['0:5', '2:10']);
  expect(gaps.filter(({ kind }) => kind === 'silent').map(({ input }) => input)).toEqual([1, 0]);
  expect(closed).toEqual(['read']);
  open();
  await new Promise(setImmediate);
  expect(closed).toEqual(['read', 'late']);
});

test('what cannot be read any more is reported, and the others go on', async () => {
  const error = new Error('read failed');
  const gaps: Gap[] = [];
  const fails = Promise.reject(error);
  fails.catch(() => {});
  await using merged = merge([[{ ns: 10 }, { ns: 20, after: fails }], at(15, 25)], options(gaps));
  expect(await orderOf(merged)).toEqual(['0:10', '1:15', '1:25']);
  expect(gaps).toEqual([{ input: 0, kind: 'failed', error }]);
});

test('an input that cannot be opened is reported, and the others go on', async () => {
  const error = new Error('no such file');
  const gaps: Gap[] = [];
  const ended: number[] = [];
  const inputs = [{ open: () => Promise.reject(error) }, { open: async () => listedPackets(at(1)) }];
  await using merged = new MergedPackets(inputs, { ...options(gaps), onEnd: (input) => ended.push(input) });
  expect(await orderOf(merged)).toEqual(['1:1']);
  expect(gaps).toEqual([{ input: 0, kind: 'failed', error }]);
  expect(ended).toEqual([0, 1]);
});

function at(...times: readonly number[]): ListedPacket[] {
  return times.map((ns) => ({ ns }));
}

/** Lets time pass in which inputs would be given up: three times as much as `slowAfterMs` of the tests. */
async function timePasses(): Promise<void> {
  await new Promise(setImmediate);
  vi.advanceTimersByTime(150);
  await new Promise(setImmediate);
}

function merge(
  inputs: readonly (readonly ListedPacket[])[],
  given: Partial<MergeOptions> = {},
): MergedPackets {
  return new MergedPackets(
    inputs.map((packets) => ({ open: async () => listedPackets(packets) })),
    { ...options([]), ...given },
  );
}

function options(gaps: Gap[]): MergeOptions {
  return { slowAfterMs: Infinity, onGap: (gap) => gaps.push(gap) };
}

/** By the latest time so far, then by input, then by position. */
function sorted(inputs: readonly (readonly number[])[]): string[] {
  return inputs
    .flatMap((times, input) =>
      times.map((ns, position) => ({ ns, input, position, key: Math.max(...times.slice(0, position + 1)) })),
    )
    .toSorted((a, b) => a.key - b.key || a.input - b.input || a.position - b.position)
    .map(({ input, ns }) => `${input}:${ns}`);
}
