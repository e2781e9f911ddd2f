import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startChild } from '../testbed/child-program.ts';
import { run } from '../testbed/run-program.ts';
import { temporaryFolder } from '../testbed/temporary-folder.ts';
import { vethTestbed } from '../testbed/veth-testbed.ts';
import { countRecords, openPcap } from './pcap-file.ts';

const precisions = [
  ['micro', 'us'],
  ['nano', 'ns'],
] as const;

test.each(precisions)(
  'reads a file that tcpdump writes with %sseconds as tcpdump itself does',
  async (precision, resolution) => {
    await using testbed = await vethTestbed();
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'web.pcap');
    const options = [
      '-i',
      testbed.podInterface,
      `--time-stamp-precision=${precision}`,
      '-s',
      '64',
      '-c',
      '200',
      '-w',
      file,
    ];
    await using tcpdump = startChild(
      testbed.command('pod', ['tcpdump', '-n', '-p', '-Z', 'root', ...options]),
      () => {},
    );
    await using sending = await testbed.startDatagrams({ bytes: 300 });
    await tcpdump.ended;
    await sending.stop();

    expect(await countRecords(file)).toEqual({ kind: 'end', records: 200, wholeBytes: 24 + 200 * (16 + 64) });
    const opened = await openPcap(file);
    if (opened.kind !== 'pcap') throw new Error(opened.kind);
    await using pcap = opened;
    expect(pcap.header).toEqual({ byteOrder: 'little', resolution, snaplen: 64, linkType: 1 });

    const lines: string[] = [];
    for await (const { timestampNs, originalBytes, data } of pcap.records())
      lines.push(`${seconds(timestampNs, precision)} ${originalBytes} ${data.length}`);
    const printed = await run([
      'tcpdump',
      '-n',
      '-tt',
      '-e',
      `--time-stamp-precision=${precision}`,
      '-r',
      file,
    ]);
    const expected = printed
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [, time, bytes] = /^(\S+) .* length (\d+): /.exec(line) ?? [];
        return `${time} ${bytes} 64`;
      });
    expect(lines).toEqual(expected);
  },
);

function seconds(timestampNs: bigint, precision: 'micro' | 'nano'): string {
  const digits = timestampNs.toString();
  return `${digits.slice(0, -9)}.${digits.slice(-9, precision === 'micro' ? -3 : undefined)}`;
}
