import { compileNative } from '../../testbed/compile.ts';
import type { TcpdumpOptions } from '../capture/tcpdump.ts';
import { type StreamingSpawner, startSpawner } from '../spawner/spawner.ts';

/** podcap-spawner, started as the agent starts it. */
export async function testSpawner(bufferSlotsFd?: number): Promise<StreamingSpawner> {
  return startSpawner({
    nativeFolder: await compileNative(),
    userId: 10_001,
    bufferSlotsFd,
    onLost(why) {
      throw new Error(why);
    },
  });
}

/** A capture of eth0 in a hundred files of 1 MB; tests override what they need. */
export const plainCapture: Omit<TcpdumpOptions, 'spawner' | 'netns' | 'file'> = {
  interface: 'eth0',
  fileMegabytes: 1,
  files: 100,
  bufferKib: 4_096,
  snaplen: undefined,
  filter: undefined,
  onFiles() {},
};
