import { expect, test } from 'vitest';
import { parseCliArguments } from '../cli-arguments.ts';
import { liveArguments } from './live-arguments.ts';
import { liveCommand } from './live-command.ts';
import { podChange } from './live-pods.ts';

function live(...args: readonly string[]) {
  const parsed = parseCliArguments(liveCommand, args);
  if (parsed.kind !== 'arguments') throw new Error(`it is ${parsed.kind}`);
  return liveArguments(parsed.given);
}

test('without options, lines of all packets without an end', () => {
  expect(live('web')).toEqual({
    asked: {},
    count: Infinity,
    durationMs: Infinity,
    to: { kind: 'lines' },
    overwrite: false,
  });
});

test('options are what the agent is asked for, and where the packets go', () => {
  const args = [
    '--filter',
    'udp port 53',
    '--interface',
    'eth0,lo',
    '--snaplen',
    '128',
    '--duration',
    '1m30s',
  ];
  expect(live('web', ...args, '-c', '5', '--to', '-')).toMatchObject({
    asked: { filter: 'udp port 53', interface: 'eth0,lo', snaplen: 128 },
    count: 5,
    durationMs: 90_000,
    to: { kind: 'capture', path: '-' },
  });
  expect(live('web', '--wireshark').to).toEqual({ kind: 'wireshark' });
});

test.for([
  [['--interface', 'any'], "but not 'any'"],
  [['--snaplen', '12'], '--snaplen="12": must be a whole number of bytes from 64 to 262144'],
  [['--filter', 'tcp\nport'], String.raw`--filter="tcp\nport": must be a pcap-filter(7) expression`],
  [['--duration', '5'], '--duration="5": must be a duration'],
  [['--count', '0'], '--count must be a whole number'],
  [['--wireshark', '--to', 'x'], '--wireshark and --to: give one of them'],
] as const)('%j is refused', ([args, message]) => {
  expect(() => live('web', ...args)).toThrow(message);
});

const pod = {
  namespace: 'shop',
  name: 'web',
  uid: 'u1',
  node: 'n1',
  phase: 'Running',
  isHostNetwork: false,
  isBeingDeleted: false,
  annotations: {},
  labels: {},
};
const came = { kind: 'came', pod: { key: 'u1', namespace: 'shop', name: 'web', node: 'n1' } };

test.for([
  ['set', {}, came],
  ['set', { isBeingDeleted: true }, came],
  ['set', { phase: 'Pending' }, undefined],
  ['set', { phase: 'Failed' }, { kind: 'left', key: 'u1' }],
  ['set', { phase: 'Succeeded' }, { kind: 'left', key: 'u1' }],
  ['deleted', {}, { kind: 'left', key: 'u1' }],
] as const)('a Pod that is %s with %j', ([kind, fields, expected]) => {
  expect(podChange({ kind, pod: { ...pod, ...fields } })).toEqual(expected);
});
