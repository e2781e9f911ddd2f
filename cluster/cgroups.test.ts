import { describe, expect, it } from 'vitest';
import { hierarchies } from './cgroups.ts';

describe('hierarchies', () => {
  it('are the mount points of the controllers with cgroup v1', () => {
    const mounts = [
      'tmpfs /sys/fs/cgroup tmpfs rw 0 0',
      'cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0',
      'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0',
      'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0',
      '/dev/vda / ext4 rw 0 0',
      '',
    ].join('\n');
    expect(hierarchies(mounts)).toEqual([
      '/sys/fs/cgroup/memory',
      '/sys/fs/cgroup/cpu,cpuacct',
      '/sys/fs/cgroup/unified',
    ]);
  });

  it('are a single mount point with cgroup v2', () => {
    expect(hierarchies('cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n')).toEqual(['/sys/fs/cgroup']);
  });
});
