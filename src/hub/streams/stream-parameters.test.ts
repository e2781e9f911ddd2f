import { expect, test } from 'vitest';
import { streamParameters } from './stream-parameters.ts';

test.for([
  ['log', {}],
  ['log', { uid: '0f3e2c1a-0000-4000-8000-000000000000', frozen: 'all', since: '10m', until: '5m' }],
  ['log', { since: '2026-11-30T10:00:00.123456Z', format: 'pcap', follow: 'true', node: 'worker-1' }],
  [
    'attach',
    { filter: "host 10.0.0.1 and (tcp port 80 or icmp) and 'x'", interface: 'eth0,lo', snaplen: '96' },
  ],
  ['attach', { duration: '1m30s', count: '100', node: 'worker-1.example', format: 'pcapng' }],
  ['attach', { filter: '$(reboot); `reboot` | reboot' }],
] as const)('%s passes on what an agent may understand: %j', ([subresource, values]) => {
  expect(streamParameters(subresource, new Map(Object.entries(values)))).toEqual({
    kind: 'parameters',
    values,
  });
});

test.for([
  [
    'log',
    { filter: 'tcp' },
    'captures/log has no parameter "filter": it has uid, node, frozen, since, until, format, follow',
  ],
  ['log', { namespace: 'other' }, 'captures/log has no parameter "namespace"'],
  ['log', { '': 'x' }, 'captures/log has no parameter ""'],
  ['log', { uid: '../b' }, 'captures/log: uid cannot be "../b"'],
  ['log', { uid: '' }, 'captures/log: uid cannot be ""'],
  ['log', { frozen: '1;2' }, 'captures/log: frozen cannot be "1;2"'],
  ['log', { since: 'x'.repeat(65) }, 'captures/log: since cannot be'],
  ['log', { follow: 'yes' }, 'captures/log: follow cannot be "yes"'],
  ['attach', { since: '10m' }, 'captures/attach has no parameter "since"'],
  ['attach', { name: 'other' }, 'captures/attach has no parameter "name"'],
  ['attach', { filter: 'x'.repeat(8_193) }, `captures/attach: filter cannot be "${'x'.repeat(100)}..."`],
  ['attach', { interface: 'eth0 -w /x' }, 'captures/attach: interface cannot be "eth0 -w /x"'],
  ['attach', { count: '-1' }, 'captures/attach: count cannot be "-1"'],
  ['attach', { snaplen: '1e3' }, 'captures/attach: snaplen cannot be "1e3"'],
  ['attach', { node: '../x' }, 'captures/attach: node cannot be "../x"'],
  [
    'log',
    { node: 'Node_1' },
    'captures/log: node cannot be "Node_1": it must be the name of a Node: at most 253 lower-case letters, digits, "-" and "."',
  ],
  ['log', { node: '' }, 'captures/log: node cannot be ""'],
  ['log', { node: 'x'.repeat(254) }, 'captures/log: node cannot be'],
] as const)('%s refuses %j', ([subresource, values, words]) => {
  const result = streamParameters(subresource, new Map(Object.entries(values)));
  expect(result).toMatchObject({ code: 400, reason: 'BadRequest', message: expect.stringContaining(words) });
});

test('a parameter that every object has is none', () => {
  for (const name of ['constructor', '__proto__', 'toString']) {
    expect(streamParameters('log', new Map([[name, 'x']]))).toMatchObject({ code: 400 });
  }
});
