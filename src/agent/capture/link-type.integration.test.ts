import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { compileTestProgram } from '../../testbed/compile.ts';
import { type VethTestbed, vethTestbed } from '../../testbed/veth-testbed.ts';
import { recordingScene } from '../testing/recording-scene.ts';

/** <linux/if_arp.h>. */
const hardwareTypes = { rawIp: 65_534, wifi: 801, gre: 778, can: 280, netlink: 824 } as const;
const linkTypes = {
  rawIp: 'RAW (Raw IP)',
  wifi: 'IEEE802_11 (802.11)',
  gre: 'LINUX_SLL (Linux cooked v1)',
  can: 'CAN_SOCKETCAN (CAN-bus with SocketCAN headers)',
  netlink: 'NETLINK (Linux netlink)',
} as const;

type Kind = keyof typeof hardwareTypes;

/** Valid for Ethernet, and not for these. */
test.each<[Kind, string]>([
  ['rawIp', 'arp'],
  ['rawIp', 'ether host 02:00:00:00:00:01'],
  ['rawIp', 'vlan 5'],
  ['gre', 'vlan 5'],
  ['netlink', 'tcp port 80'],
  ['can', 'tcp port 80'],
])('an interface of the kind %s is not captured with the filter %s', async (kind, filter) => {
  expect(await answersTo({ kind, filter })).toMatchObject([
    {
      kind: 'refused',
      refusal: {
        reason: 'InvalidFilter',
        message: expect.stringContaining(`the interface has the link type ${linkTypes[kind]}: `),
      },
    },
  ]);
});

/** The last three are not valid for Ethernet. */
test.each<[Kind, string]>([
  ['rawIp', 'udp'],
  ['rawIp', 'inbound'],
  ['gre', 'udp port 53'],
  ['gre', 'outbound'],
  ['wifi', 'type mgt'],
  ['wifi', 'dir fromds and wlan addr2 02:00:00:00:00:01'],
  ['rawIp', 'link[12:2] = 0x86dd and ip'],
])('an interface of the kind %s is captured with the filter %s', async (kind, filter) => {
  expect(await answersTo({ kind, filter })).toMatchObject([
    { kind: 'capturing', spec: { filter } },
    { kind: 'stopped', totals: { captured: 0, lostAtStop: 0 } },
  ]);
});

test('what libpcap cannot translate for the kernel is refused', async () => {
  // A byte of the sender's address, in a header that libpcap makes up.
  expect(await answersTo({ kind: 'gre', filter: 'link[7] = 1' })).toMatchObject([
    { kind: 'refused', refusal: { message: expect.stringContaining('a part of the link-layer header') } },
  ]);
});

test('a filter for Wi-Fi is refused for Ethernet', async () => {
  expect(await answersTo({ kind: undefined, filter: 'type mgt' })).toMatchObject([
    {
      kind: 'refused',
      refusal: {
        reason: 'InvalidFilter',
        message: expect.stringContaining('the interface has the link type EN10MB (Ethernet): 802.11'),
      },
    },
  ]);
});

/** All reports of a recording on an interface of that kind, or on the veth. */
async function answersTo({ kind, filter }: { readonly kind: Kind | undefined; readonly filter: string }) {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  if (kind !== undefined) await addInterface(testbed, kind);
  const { recorder, reports } = await scene.start(3, {
    interfaces: [kind === undefined ? 'eth0' : 'net1'],
    filter,
  });
  await until(() => reports.length > 0, { what: 'an answer' });
  await recorder.stop('AgentStopped');
  return reports;
}

async function addInterface(testbed: VethTestbed, kind: Kind): Promise<void> {
  await testbed.exec('pod', [await compileTestProgram('tun'), 'net1', `${hardwareTypes[kind]}`]);
  await testbed.exec('pod', ['ip', 'link', 'set', 'net1', 'up']);
}
