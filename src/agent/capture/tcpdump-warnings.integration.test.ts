import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { vethTestbed } from '../../testbed/veth-testbed.ts';
import { recordingScene } from '../testing/recording-scene.ts';

test('what tcpdump warns of while it runs is reported, and is no failure', async () => {
  const path = process.env['PATH'] ?? '';
  await using folder = await temporaryFolder();
  const lines = ['tcpdump: WARNING: eth0: no IPv4 address assigned', 'Warning: something else', 'tcpdump: x'];
  const print = lines.map((line) => `echo '${line}' >&2`).join('\n');
  await writeFile(join(folder.path, 'tcpdump'), `#!/bin/sh\n${print}\nPATH='${path}' exec tcpdump "$@"\n`);
  await chmod(folder.path, 0o755);
  await chmod(join(folder.path, 'tcpdump'), 0o755);
  await using testbed = await vethTestbed();
  process.env['PATH'] = `${folder.path}:${path}`;
  // It has its own spawner, which looks for tcpdump there.
  await using scene = await recordingScene(testbed).finally(() => {
    process.env['PATH'] = path;
  });
  const { recorder, reports } = await scene.record(5);
  await until(() => reports.length === 3, { what: 'the warnings' });
  await recorder.stop('AgentStopped');
  expect(reports).toMatchObject([
    { kind: 'warning', generation: 1, message: lines[0] },
    { kind: 'warning', generation: 1, message: lines[1] },
    { kind: 'capturing', generation: 1 },
    { kind: 'stopped' },
  ]);
});
