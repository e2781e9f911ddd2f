import { expect, it } from 'vitest';
import { hardwareAddress } from './cluster-network.ts';

it('derives a locally administered unicast hardware address from an IP address', () => {
  expect(hardwareAddress('198.18.213.10')).toBe('02:00:c6:12:d5:0a');
});
