import { describe, expect, it } from 'vitest';
import { addresses, cacheFolder, machines, nodes } from './layout.ts';

/** The first and last address of an IPv4 range, as numbers. */
function range(cidr: string): { first: number; last: number } {
  const [address = '', bits = '32'] = cidr.split('/');
  const first = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  return { first, last: first + 2 ** (32 - Number(bits)) - 1 };
}

function isInside(inner: string, outer: string): boolean {
  return range(inner).first >= range(outer).first && range(inner).last <= range(outer).last;
}

function overlap(one: string, other: string): boolean {
  return range(one).first <= range(other).last && range(other).first <= range(one).last;
}

describe('the addresses', () => {
  it('are different for every machine, and inside the network of the machines', () => {
    const all = [addresses.host, ...machines.map(({ address }) => address)];
    expect(new Set(all).size).toBe(all.length);
    for (const address of all) expect(isInside(address, addresses.network)).toBe(true);
  });

  it('of Pods are in one range, and no two Nodes share any', () => {
    for (const node of nodes) {
      expect(isInside(node.podCidr, addresses.pods)).toBe(true);
      for (const other of nodes) expect(overlap(node.podCidr, other.podCidr)).toBe(node === other);
    }
  });

  it('of machines, Pods and Services do not overlap', () => {
    expect(overlap(addresses.network, addresses.pods)).toBe(false);
    expect(overlap(addresses.network, addresses.services)).toBe(false);
    expect(overlap(addresses.pods, addresses.services)).toBe(false);
  });
});

describe('cacheFolder', () => {
  it('follows XDG_CACHE_HOME', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/podcap');
  });

  it.each([[{}], [{ XDG_CACHE_HOME: '' }]])('is in the home directory otherwise (%o)', (environment) => {
    expect(cacheFolder(environment)).toMatch(/\/\.cache\/podcap$/);
  });
});
