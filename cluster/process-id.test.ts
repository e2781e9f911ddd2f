import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isAlive, parseStat, processId } from './process-id.ts';

/** The line of /proc/<pid>/stat with this name and state, and 12345 as field 22. */
function stat(name: string, state: string): string {
  return `7 (${name}) ${state} ${Array.from({ length: 18 }, (_, index) => index).join(' ')} 12345 99`;
}

describe('parseStat', () => {
  it.each([['node'], ['a b'], ['a) S 1 (b']])('reads the start time after the name "%s"', (name) => {
    expect(parseStat(7, stat(name, 'S'))).toEqual({ pid: 7, startTime: '12345' });
  });

  it.each([['Z'], ['X']])('returns undefined for a process in state %s', (state) => {
    expect(parseStat(7, stat('node', state))).toBeUndefined();
  });
});

describe('isAlive', () => {
  it('is true for a running process', () => {
    const id = processId(process.pid);
    expect(id && isAlive(id)).toBe(true);
  });

  it('is false for a different process with the same pid', () => {
    expect(isAlive({ pid: process.pid, startTime: '1' })).toBe(false);
  });

  it('is false for a process that has ended', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const id = processId(child.pid ?? 0);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(id).toBeDefined();
    expect(id && isAlive(id)).toBe(false);
  });
});
