import { expect, test } from 'vitest';
import { openUnseenCounter } from './unseen-counter.ts';

/** A world in which a test passes packets; `isComparable` is what the kernel says about the interface. */
function world() {
  const now = {
    passed: 100,
    received: 0,
    delayed: 0,
    isComparable: true as boolean | undefined,
    name: 'eth0',
  };
  const counter = openUnseenCounter({
    reader: {
      async read() {
        const counters = { receivedPackets: now.passed, sentPackets: 0, sentDropped: 0 };
        return { name: 'eth0', counters };
      },
      isSure: ({ name }) => name === now.name,
    },
    async askReceived() {
      const { received } = now;
      // What was on its way has arrived the next time.
      now.received += now.delayed;
      now.delayed = 0;
      return received;
    },
    countsAsSockets: async () => now.isComparable,
    settledAfterMs: 1,
  });
  return { now, counter };
}

test('nothing is known before the first measurement', async () => {
  const { counter } = world();
  await counter.measure();
  expect(counter.reading()).toEqual({ atLeast: 0, isKnown: false });
  await counter.begin();
  expect(counter.reading()).toEqual({ atLeast: 0, isKnown: false });
});

test('counts what only the interface counts', async () => {
  const { now, counter } = world();
  await counter.begin();
  now.passed += 80;
  now.received += 50;
  await counter.measure();
  expect(counter.reading()).toEqual({ atLeast: 30, isKnown: true });
  now.passed += 5;
  await counter.measure();
  expect(counter.reading()).toEqual({ atLeast: 35, isKnown: true });
});

test('what is only on its way from the interface to the socket is not unseen', async () => {
  const { now, counter } = world();
  await counter.begin();
  now.passed += 80;
  now.delayed = 80;
  await counter.measure();
  expect(counter.reading()).toEqual({ atLeast: 0, isKnown: true });
});

test('what was counted stays when the interface begins to count in another way, and the rest is unknown', async () => {
  const { now, counter } = world();
  await counter.begin();
  now.passed += 30;
  await counter.measure();
  now.isComparable = false;
  now.passed += 40;
  await counter.measure();
  expect(counter.reading()).toEqual({ atLeast: 30, isKnown: false });
  now.isComparable = true;
  await counter.measure();
  expect(counter.reading()).toEqual({ atLeast: 30, isKnown: false });
});

test.each([
  ['the kernel does not say how it counts', { isComparable: undefined }],
  ['the interface counts in another way', { isComparable: false }],
  ['the name may be of another interface', { name: 'eth1' }],
])('nothing is known if %s', async (_what, change) => {
  const { now, counter } = world();
  await counter.begin();
  Object.assign(now, change);
  now.passed += 30;
  await counter.measure();
  expect(counter.reading()).toEqual({ atLeast: 0, isKnown: false });
});

test('an interface that does not count what the socket gets could hide what passes unseen', async () => {
  const { now, counter } = world();
  await counter.begin();
  now.received += 30;
  await counter.measure();
  now.passed += 60;
  await counter.measure();
  expect(counter.reading()).toEqual({ atLeast: 0, isKnown: false });
});

test('begins only once', async () => {
  const { now, counter } = world();
  await counter.begin();
  now.passed += 30;
  await counter.begin();
  await counter.measure();
  expect(counter.reading()).toEqual({ atLeast: 30, isKnown: true });
});
