import { describe, expect, test } from 'vitest';
import { CommandFailure } from '../cli-command.ts';
import { givenArguments } from './testing/request-objects.ts';
import { optionsText, wantedCapture } from './wanted-capture.ts';

const wanted = (options: Record<string, string>) => wantedCapture(givenArguments([], options));

describe('the options of a request', () => {
  test('are annotations, and the number of files has a default', () => {
    expect(wanted({}).annotations).toEqual({ 'tcpdump.antrea.io': '5' });
    expect(
      wanted({
        files: '50',
        'file-size': '10',
        interface: 'eth0,lo',
        filter: 'tcp port 80',
        snaplen: '128',
        duration: '10m',
        'freeze-on': 'restart,failed',
        'freeze-after': '1m',
      }).annotations,
    ).toEqual({
      'tcpdump.antrea.io': '50',
      'podcap.dev/file-size': '10',
      'podcap.dev/interface': 'eth0,lo',
      'podcap.dev/filter': 'tcp port 80',
      'podcap.dev/snaplen': '128',
      'podcap.dev/duration': '10m',
      'podcap.dev/freeze-on': 'restart,failed',
      'podcap.dev/freeze-after': '1m',
    });
  });

  test('are understood as an agent understands them', () => {
    expect(wanted({ interface: 'lo', duration: '1h30m', snaplen: '96' }).spec).toMatchObject({
      files: 5,
      fileMegabytes: 1,
      interfaces: ['lo'],
      snaplen: 96,
      durationMs: 5_400_000,
      isPaused: false,
      policy: undefined,
    });
  });

  test.each([
    ['files', '0', '--files="0": must be a whole number of capture files from 1 to 10000'],
    ['files', '5.5', 'must be a whole number'],
    ['file-size', '1e3', '--file-size="1e3": must be a whole number of megabytes from 1 to 10000'],
    ['interface', 'any', "but not 'any'"],
    ['interface', 'a,b,c,d,e', 'the names of 1 to 4 interfaces'],
    ['filter', 'tcp\u001b[31m', String.raw`--filter="tcp\u001b[31m": must be a pcap-filter(7) expression`],
    ['snaplen', '63', 'a whole number of bytes from 64 to 262144'],
    ['duration', '10', '--duration="10": must be a duration from 1s to 168h, such as 90s, 10m or 1h30m'],
    ['freeze-on', 'restart,restart', 'one or more of restart, oom-killed, not-ready, failed'],
    ['freeze-after', '11m', 'a duration from 1s to 10m'],
  ])('--%s %s is refused before anything is sent, in the words of the agent', (name, value, message) => {
    expect(() => wanted({ [name]: value })).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining(message) }),
    );
    expect(() => wanted({ [name]: value })).toThrow(CommandFailure);
  });

  test('can be written as a command line again', () => {
    expect(optionsText(wanted({}))).toBe('');
    expect(optionsText(wanted({ filter: "tcp port 80 or host 'a'", files: '7' }))).toBe(
      String.raw`--files 7 --filter 'tcp port 80 or host '\''a'\'''`,
    );
    expect(optionsText(wanted({ snaplen: '96' }))).toBe('--files 5 --snaplen 96');
  });
});
