import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { compileTestProgram } from '../../testbed/compile.ts';
import {
  frameOf,
  ipv4,
  ipv4Fragments,
  ipv6,
  ipv6Fragments,
  ipv6Options,
  tcp,
  udp,
} from '../../testbed/frames.ts';
import { run } from '../../testbed/run-program.ts';
import { type LinkEnd, type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { recordingScene, ringFilesOf } from '../testing/recording-scene.ts';
import {
  type ExtensionFrame,
  extensionExamples,
  type FilterExample,
  type FragmentFrame,
  fragmentExamples,
  type VlanFrame,
  vlanExamples,
} from './filter-examples.ts';

/** A frame by its name in the examples, which its payload has as well. */
type Frames<Name extends string> = Readonly<Record<Name, Uint8Array>>;

const vlan = (id: number) => ({ type: 0x8100, id }) as const;
const serviceVlan = (id: number) => ({ type: 0x88a8, id }) as const;
const web = (name: VlanFrame, port = 80) => ipv4(tcp(port, mark(name)));

const vlanFrames: Frames<VlanFrame> = {
  untagged: frameOf(web('untagged')),
  vlan0: frameOf(web('vlan0'), [vlan(0)]),
  vlan100: frameOf(web('vlan100'), [vlan(100)]),
  qinq: frameOf(web('qinq'), [serviceVlan(200), vlan(100)]),
  otherPort: frameOf(web('otherPort', 81), [vlan(100)]),
};

/** The first fragments have the first of these names, the later ones the second. */
const answer = (first: FragmentFrame, later: FragmentFrame, port = 53) =>
  udp(port, mark(first).repeat(200).slice(0, 1_192) + mark(later).repeat(200).slice(0, 808));
const [ipv4First, ipv4Later] = ipv4Fragments(answer('ipv4First', 'ipv4Later'), 1_200);
const [ipv6First, ipv6Later] = ipv6Fragments(answer('ipv6First', 'ipv6Later'), 1_200);
const [, otherPortLater] = ipv4Fragments(answer('ipv4First', 'otherPortLater', 54), 1_200);

const fragmentFrames: Frames<FragmentFrame> = {
  ipv4First: frameOf(ipv4First),
  ipv4Later: frameOf(ipv4Later),
  ipv6First: frameOf(ipv6First),
  ipv6Later: frameOf(ipv6Later),
  otherPortLater: frameOf(otherPortLater),
};

const segment = (name: ExtensionFrame) => tcp(5_201, mark(name));

const extensionFrames: Frames<ExtensionFrame> = {
  none: frameOf(ipv6(segment('none'))),
  hopByHop: frameOf(ipv6(ipv6Options('hopByHop', segment('hopByHop'), 8))),
  longHopByHop: frameOf(ipv6(ipv6Options('hopByHop', segment('longHopByHop'), 24))),
  destination: frameOf(ipv6(ipv6Options('destination', segment('destination'), 8))),
};

let testbed: VethTestbed;
beforeAll(async () => {
  testbed = await vethTestbed();
});
afterAll(() => testbed[Symbol.asyncDispose]());

describe.each([
  [vlanExamples, vlanFrames],
  [fragmentExamples, fragmentFrames],
  [extensionExamples, extensionFrames],
])('$title', ({ filters }: { readonly filters: readonly FilterExample[] }, frames: Frames<string>) => {
  test('without a filter, every frame is captured', async () => {
    expect(await foundBy(undefined, 'node', frames)).toEqual(Object.keys(frames));
  });

  describe.each(filters)('$filter', ({ filter, finds, findsIfPart = finds }) => {
    test('finds what the table says, of what the Pod receives', async () => {
      expect(await foundBy(filter, 'node', frames)).toEqual(finds);
    });

    test('finds what the table says, of what a program in the Pod writes', async () => {
      expect(await foundBy(filter, 'pod', frames)).toEqual(findsIfPart);
    });

    test('finds what the table says, in a file', async () => {
      expect(await foundBy(undefined, 'node', frames, filter)).toEqual(findsIfPart);
    });
  });
});

function mark(name: string): string {
  return `<${name}>`;
}

/**
 * The names of the frames that a recording with that filter has when they are sent from that side, and that tcpdump
 * finds there with the other filter.
 */
async function foundBy(
  filter: string | undefined,
  from: LinkEnd,
  frames: Frames<string>,
  filterOfFile = '',
): Promise<string[]> {
  await using scene = await recordingScene(testbed);
  const { recorder, path } = await scene.record(1, { filter });
  const passed = async () => {
    const { sentPackets, receivedPackets } = await testbed.counters('pod');
    return from === 'pod' ? sentPackets : receivedPackets;
  };
  const before = await passed();
  const digits = Object.values(frames).map((bytes) => Buffer.from(bytes).toString('hex'));
  const name = from === 'pod' ? testbed.podInterface : testbed.nodeInterface;
  await testbed.exec(from, [await compileTestProgram('frames'), name, ...digits]);
  await until(async () => (await passed()) >= before + digits.length, { what: 'the frames' });
  await recorder.stop('AgentStopped');
  const [file, ...others] = await ringFilesOf(path);
  if (file === undefined || others.length > 0) throw new Error(`${others.length} files too many`);
  const text = await run(['tcpdump', '-A', '-n', '-r', join(path, file.name), '--', filterOfFile]);
  return Object.keys(frames).filter((frame) => text.includes(mark(frame)));
}
