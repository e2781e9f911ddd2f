import { beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { recordingScene } from '../testing/recording-scene.ts';

// tcpdump does not compile these for an interface with raw IP, such as a tun device.
describe.each(['arp', 'ether host 02:00:00:00:00:01', 'vlan 5'])('the filter %s on raw IP', (filter) => {
  let observed: Awaited<ReturnType<typeof observe>>;
  beforeAll(async () => {
    observed = await observe(filter);
  });

  test('the interface is captured with a filter that compiles', () => {
    expect(observed.possible).toMatchObject({ kind: 'capturing', spec: { filter: 'udp' } });
  });

  test.fails('is refused', () => {
    expect(observed.impossible).toMatchObject({ kind: 'refused', refusal: { reason: 'InvalidFilter' } });
  });
});

async function observe(filter: string) {
  await using testbed = await vethTestbed();
  await using scene = await recordingScene(testbed);
  await testbed.exec('pod', ['ip', 'tuntap', 'add', 'tun0', 'mode', 'tun']);
  await testbed.exec('pod', ['ip', 'link', 'set', 'tun0', 'up']);
  return {
    possible: await answerTo('udp'),
    impossible: await answerTo(filter),
  };

  async function answerTo(expression: string) {
    const { recorder, reports } = await scene.start(3, { interface: 'tun0', filter: expression });
    const answer = await until(() => reports[0], { what: 'an answer' });
    await recorder.stop('AgentStopped');
    return answer;
  }
}
