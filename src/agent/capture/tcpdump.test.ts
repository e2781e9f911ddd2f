import { expect, test } from 'vitest';
import { counterOf32Bits } from './tcpdump.ts';

test('counts go on when tcpdump begins again from 0, each for itself', () => {
  const counter = counterOf32Bits();
  expect(counter({ captured: 4_294_967_290, received: 4_294_967_295, dropped: 0 })).toEqual({
    captured: 4_294_967_290,
    received: 4_294_967_295,
    dropped: 0,
  });
  expect(counter({ captured: 4_294_967_295, received: 4, dropped: 0 })).toEqual({
    captured: 4_294_967_295,
    received: 4_294_967_300,
    dropped: 0,
  });
  expect(counter({ captured: 1 })).toEqual({ captured: 4_294_967_297 });
  expect(counter({ received: 3 })).toEqual({ received: 2 * 2 ** 32 + 3 });
  expect(counter({ dropped: 7 })).toEqual({ dropped: 7 });
});
