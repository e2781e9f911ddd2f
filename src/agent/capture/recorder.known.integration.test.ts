import { beforeAll, describe, expect, test } from 'vitest';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { recordingScene } from '../testing/recording-scene.ts';

describe('a capture that restarts without any traffic', () => {
  let before: readonly number[];
  let after: readonly number[];

  beforeAll(async () => {
    await using testbed = await vethTestbed();
    await using scene = await recordingScene(testbed);
    const { recorder, path } = await scene.record(3);
    // 1,000-byte datagrams: about 930 fill a file.
    await testbed.sendDatagrams({ count: 4_000, rate: 8_000, bytes: 1_000 });
    await recorder.stop('AgentStopped');
    before = await scene.numbers(path);
    for (let times = 0; times < 2; times += 1) {
      const next = await scene.record(3);
      await next.recorder.stop('AgentStopped');
    }
    after = await scene.numbers(path);
  });

  test('has three files up to the last datagram', () => {
    expect(before.at(-1)).toBe(3_999);
    expect(before.length).toBeGreaterThan(2 * 900);
  });

  test.fails('keeps every packet that it had', () => {
    expect(extentOf(after)).toEqual(extentOf(before));
  });
});

function extentOf(numbers: readonly number[]) {
  return { first: numbers[0], last: numbers.at(-1), count: numbers.length };
}
