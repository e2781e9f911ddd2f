import { expect, test } from 'vitest';
import { until } from '../../src/base/until.ts';
import { linkScene } from '../../src/hub/testing/link-scene.ts';
import type { ReportLine } from '../../src/link/protocol.ts';
import { simulatedAgent } from './simulated-agent.ts';
import { nameOf } from './simulated-recordings.ts';

test('a hub takes a simulated agent for one: it reports all its recordings, and then each change', async () => {
  const reported: ReportLine[] = [];
  const receiveReports = () => ({
    receive: (line: ReportLine) => void reported.push(line),
    disconnected() {},
  });
  await using scene = await linkScene({ receiveReports });
  const hub = { host: '127.0.0.1', port: scene.port, ca: scene.certificate.cert };
  await using agent = await simulatedAgent(hub, { node: 7, recordings: 3 });
  await until(() => reported.length === 4, { what: 'three recordings and the end of them' });
  const names = reported.flatMap((line) => (line.kind === 'recording' ? line.recording.name : []));
  expect(names).toEqual([0, 1, 2].map((index) => nameOf(7, index)));
  expect(reported.at(-1)).toEqual({ kind: 'synced' });
  agent.change(1, 'Paused');
  await until(() => reported.length === 5, { what: 'the change' });
  expect(reported.at(-1)).toMatchObject({
    recording: { name: nameOf(7, 1), uid: expect.any(String), status: { phase: 'Paused' } },
  });
});
