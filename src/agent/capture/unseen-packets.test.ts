import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasUncounted, unseenAtLeast, unseenBaseline } from './unseen-packets.ts';

const at = (passed: number, received: number, sentDropped = 0) => ({ passed, received, sentDropped });

test.each([
  ['nothing has passed', at(100, 0), 0],
  ['all were received', at(150, 50), 0],
  ['500 were not received', at(650, 50), 500],
  ['more were received while the two were read', at(150, 70), 0],
])('%s', (_what, now, unseen) => {
  expect(unseenAtLeast(unseenBaseline(at(100, 0), at(100, 0)), now)).toBe(unseen);
});

test('what is received between the readings at the start does not hide as many later', () => {
  // 30 had been received before the interface was read for the second time.
  expect(unseenAtLeast(unseenBaseline(at(100, 30), at(130, 30)), at(700, 100))).toBe(500);
});

test.each([
  ['all are counted', at(150, 50), false],
  ['received packets are in no counter of the interface', at(120, 50), true],
  ['the interface could not send what the socket had got', at(120, 50, 30), false],
])('%s: uncounted is $2', (_what, now, isUncounted) => {
  expect(hasUncounted(unseenBaseline(at(100, 0), at(100, 0)), now)).toBe(isUncounted);
});

/** Packets that pass between one reading and the next: both count `seen`, only the interface counts `unseen`. */
const passing = fc.record({ seen: fc.nat(1_000), unseen: fc.nat(1_000) });

test('whatever passes between readings, never more is reported than passed unseen', () => {
  const model = fc.property(
    fc.record({ created: fc.nat(1_000), a: passing, b: passing, c: passing, d: passing, e: passing }),
    ({ created, a, b, c, d, e }) => {
      // The order of the readings: interface, tcpdump, interface; later interface, tcpdump, interface.
      let [passed, received, unseen] = [created, 0, 0];
      const pass = (packets: { seen: number; unseen: number }) => {
        passed += packets.seen + packets.unseen;
        received += packets.seen;
        unseen += packets.unseen;
      };
      pass({ ...a, unseen: 0 });
      const before = { passed, sentDropped: 0 };
      const unseenBefore = unseen;
      pass(b);
      const receivedAtStart = received;
      pass(c);
      const after = { passed, sentDropped: 0 };
      const baseline = unseenBaseline(
        { ...before, received: receivedAtStart },
        { ...after, received: receivedAtStart },
      );
      pass(d);
      const now = { passed, sentDropped: 0 };
      pass(e);
      const receivedNow = received;
      expect(unseenAtLeast(baseline, { ...now, received: receivedNow })).toBeLessThanOrEqual(
        unseen - unseenBefore,
      );
      expect(hasUncounted(baseline, { passed, sentDropped: 0, received: receivedNow })).toBe(false);
    },
  );
  fc.assert(model);
});
