import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { decodedRows, type Row, tsharkRows } from '../src/pcap/testing/decoded-rows.ts';
import { tsharkField } from '../src/pcap/testing/tshark-field.ts';
import { run } from '../src/testbed/run-program.ts';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { test } from './support/cluster-test.ts';
import { waitForCaptureFolder } from './support/node-captures.ts';
import { manyProtocolsClient, manyProtocolsServer } from './support/pod-manifests.ts';
import { readBack } from './support/read-back.ts';
import { waitForFiles } from './support/ring-contents.ts';

test('of what two Pods say to each other, the decoder shows the same as tshark, and merging keeps one side', async ({
  cluster,
}) => {
  await using output = await temporaryFolder();
  const server = await cluster.start(
    manyProtocolsServer({ name: 'server', node: 'node1', annotation: '10' }),
  );
  const client = await cluster.start(
    manyProtocolsClient({ name: 'client', node: 'node2', annotation: '10', to: server.ip }),
  );
  await waitForFiles(await waitForCaptureFolder(client), 2);
  const paths: string[] = [];
  for (const pod of [client, server]) {
    const path = join(output.path, `${pod.name}.pcapng`);
    await writeFile(path, await readBack(pod, 'pcapng'));
    paths.push(path);
    const rows = await decodedRows(path);
    expect(rows.length).toBeGreaterThan(1_000);
    // Each of them is there, or the comparison would say little.
    for (const protocols of ['arp', 'icmp', 'tcp', 'udp', 'udp,dns', 'tcp,http', 'tcp,tls'])
      expect(rows.map(([first]) => first)).toContain(protocols);
    expect(rows.map(withoutRepeatedData)).toEqual((await tsharkRows(path)).map(withoutRepeatedData));
  }
  const both = join(output.path, 'both.pcapng');
  const one = join(output.path, 'one.pcapng');
  await podcap('merge', ...paths, '--to', both);
  await podcap('merge', ...paths, '--to', one, '--side', 'client');
  // What a busy machine made TCP really send again, each side has seen by itself; merging adds none.
  const real = (await Promise.all(paths.map(retransmissions))).reduce((sum, of) => sum + of, 0);
  expect(await retransmissions(both)).toBeGreaterThan(100 + real);
  expect(await retransmissions(one)).toBeLessThanOrEqual(real);
});

/** tshark does not look into data that was sent before, as a busy machine makes TCP do (docs/capture-files.md). */
function withoutRepeatedData(row: Row): Row {
  const [protocols = '', ...others] = row;
  return others.at(-1) === 'retransmission' ? [protocols.replace(/^tcp,.*/, 'tcp'), ...others] : row;
}

async function podcap(...args: readonly string[]): Promise<string> {
  return await run([process.execPath, 'src/main.ts', ...args]);
}

/** How many packets tshark takes for retransmissions. */
async function retransmissions(path: string): Promise<number> {
  return (await tsharkField(path, 'frame.number', 'tcp.analysis.retransmission')).length;
}
