import { expect, test } from 'vitest';
import { plainInterface } from '../pcap/testing/capture-bytes.ts';
import { sideProblems } from './side-problems.ts';
import { scanned } from './testing/scanned-capture.ts';

const kept = 'both ends of its conversations are kept';

test.each([
  ['a capture of a known Pod', scanned({ addresses: [['10.0.0.1']] }), []],
  ['a capture without interfaces', scanned({ addresses: [] }), []],
  [
    'a Pod that talks to one peer only',
    scanned({ name: 'web.pcap', addresses: [[]], candidates: ['10.0.0.1', '10.0.0.2'] }),
    [`web.pcap is of 10.0.0.1 or 10.0.0.2, which are in nearly every packet: ${kept}`],
  ],
  [
    'a router',
    scanned({ name: 'r.pcap', addresses: [[]] }),
    [`r.pcap has no address that is in nearly every packet: ${kept}`],
  ],
  [
    'a pipe',
    scanned({ name: 'standard input', addresses: undefined }),
    [`standard input is a stream, whose addresses are not known before it is merged: ${kept}`],
  ],
  [
    'one of several interfaces',
    scanned({
      name: 'x.pcapng',
      interfaces: [plainInterface, { ...plainInterface, name: 'eth1' }],
      addresses: [['10.0.0.1'], []],
    }),
    [`x.pcapng, interface eth1, has no address that is in nearly every packet: ${kept}`],
  ],
])('%s', (_what, capture, problems) => {
  expect(sideProblems([capture])).toEqual(problems);
});
