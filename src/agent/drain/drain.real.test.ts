import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { capturedNumbers } from '../../lab/captured.ts';
import { compileDrain } from '../../lab/compile.ts';
import { temporaryFolder } from '../../lab/folder.ts';
import { type NetworkLab, networkLab } from '../../lab/network.ts';
import { until } from '../../lab/until.ts';

// The witness (src/lab/witness.c) says what the interface carried: it hears what tcpdump hears, at the same place
// in the kernel, without blocks. A receiver at the other end would know less: what is on its way when the interface
// goes is captured, but never received.

test('has every datagram up to the last one before the interface went', async () => {
  await using capture = await startCapture({ preload: await compileDrain() });
  const { lab } = capture;
  await using witness = await lab.watchDatagrams();
  await using sending = await lab.startDatagrams({ rate: 5000 });
  await sentAtLeast(lab, 2000);

  await lab.deleteInterface();

  const end = await capture.ended;
  expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('The interface disappeared') });
  expect((await sending.ended).reason).toBe('ENETUNREACH');
  expect(await capturedNumbers(capture.file)).toEqual(await witness.ended);
  expect(end.statistics).toEqual(balanced(end));
});

test('without the library tcpdump loses its last block', async () => {
  await using capture = await startCapture({ preload: '' });
  const { lab } = capture;
  await using witness = await lab.watchDatagrams();
  await using _sending = await lab.startDatagrams({ rate: 5000 });
  await sentAtLeast(lab, 2000);

  await lab.deleteInterface();

  await capture.ended;
  const carried = await witness.ended;
  const captured = await capturedNumbers(capture.file);
  expect(captured.at(-1)).toBeLessThan(carried.at(-1) ?? 0);
});

test.each([500, 5000, 50_000])('told to stop under %i packets/s it has every packet that it has counted', async (rate) => {
  await using capture = await startCapture({ preload: await compileDrain() });
  await using sending = await capture.lab.startDatagrams({ rate });
  await sentAtLeast(capture.lab, 300);

  capture.terminate();

  const end = await capture.ended;
  await sending.stop();
  expect(end.code).toBe(0);
  expect(end.statistics).toEqual(balanced(end));
  expect(await capturedNumbers(capture.file)).toHaveLength(end.statistics.captured);
  expect(end.statistics.captured).toBeGreaterThan(0);
});

test('counts nothing that came before its filter was there', async () => {
  const lab = await networkLab();
  await using _sending = await lab.startDatagrams({ rate: 50_000 });
  await sentAtLeast(lab, 300);
  await using capture = await startCapture({ preload: await compileDrain(), lab, filter: 'tcp' });

  capture.terminate();

  expect((await capture.ended).statistics).toEqual({ captured: 0, received: 0, dropped: 0 });
});

test('told to stop on an idle interface it ends', async () => {
  await using capture = await startCapture({ preload: await compileDrain() });
  capture.terminate();
  expect(await capture.ended).toMatchObject({ code: 0, statistics: { captured: 0, received: 0, dropped: 0 } });
});

test('told to stop several times it still has every packet', async () => {
  await using capture = await startCapture({ preload: await compileDrain() });
  await using _sending = await capture.lab.startDatagrams({ rate: 5000 });
  await sentAtLeast(capture.lab, 300);
  let signals = 0;
  await until(() => !capture.terminate() || (signals += 1) > 10_000, { what: 'the end of tcpdump' });
  const end = await capture.ended;
  expect(signals).toBeGreaterThan(1);
  expect(end.statistics).toEqual(balanced(end));
});

test('an interface that was only set down is heard again when it comes up', async () => {
  await using capture = await startCapture({ preload: await compileDrain() });
  const { lab } = capture;
  await lab.sendDatagrams({ count: 10 });
  for (const firstNumber of [10, 20]) {
    await lab.exec('pod', ['ip', 'link', 'set', lab.podInterface, 'down']);
    await lab.exec('pod', ['ip', 'link', 'set', lab.podInterface, 'up']);
    await lab.addNeighbours();
    await lab.sendDatagrams({ count: 10, firstNumber });
  }
  capture.terminate();
  expect((await capture.ended).code).toBe(0);
  expect(await capturedNumbers(capture.file)).toEqual(Array.from({ length: 30 }, (_, i) => i));
});
