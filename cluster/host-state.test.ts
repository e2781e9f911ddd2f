import { describe, expect, it } from 'vitest';
import { linkNames, mounts } from './host-state.ts';

describe('linkNames', () => {
  it('leaves out indexes and peers, which change by themselves', () => {
    const links = '1: lo: <LOOPBACK> mtu 65536\n5: podcap0@if3: <BROADCAST,UP> mtu 1500\n';
    expect(linkNames(links)).toEqual(['lo', 'podcap0']);
  });
});

describe('mounts', () => {
  it('leaves out the options', () => {
    expect(mounts('tmpfs /run tmpfs rw,size=10k 0 0\nnsfs /run/netns/a nsfs rw 0 0\n')).toEqual([
      'mount tmpfs tmpfs /run',
      'mount nsfs nsfs /run/netns/a',
    ]);
  });
});
