import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkout } from '../../tools/target.ts';
import { figures } from '../all-figures.ts';
import type { Result } from '../support/result.ts';
import { summary } from '../support/statistics.ts';
import { drawnPlots, plots, renderPlots } from './plots.ts';

test('the plots in docs/benchmarks are those that `make bench` draws of the results', async () => {
  const rendered = await renderPlots();
  expect((await drawnPlots()).toSorted()).toEqual([...rendered.keys()].toSorted());
  for (const [file, content] of rendered) expect(await readFile(join(checkout, file), 'utf8')).toBe(content);
});

test('each plot belongs to an existing figure', () => {
  const names = figures.map(({ name }) => name);
  for (const name of Object.keys(plots)) expect(names).toContain(name);
});

const anyResult = {
  unit: 'any',
  date: '2026-01-01T00:00:00.000Z',
  goal: 'any',
  isReached: true,
  machine: { cpu: 'a <fast> CPU', cores: 2, memoryGib: 24, kernel: '6.18', load: 0 },
  versions: {},
};
const row = (variant: string, parameter: string, ...values: readonly number[]) => ({
  variant,
  parameter,
  ...summary(values),
  values: [...values],
});

test('the throughput plot shows throughput against the number of captures, with its unit and spread', () => {
  const drawn = draw({
    ...anyResult,
    figure: 'others-throughput',
    rows: [
      row('podcap', '0', 150e3, 160e3, 170e3),
      row('podcap', '100', 155e3, 160e3, 165e3),
      row('host-tcpdump', '0', 150e3, 160e3, 170e3),
      row('host-tcpdump', '100', 30e3, 36e3, 40e3),
    ],
  });
  expect(drawn).toContain('>thousand datagrams/s<');
  expect(drawn).toContain('>other Pods captured on the Node<');
  expect(drawn).toContain('Podcap at 100: 160;');
  expect(drawn.match(/<circle/g)).toHaveLength(4);
  expect(drawn).toContain('2 cores (a &lt;fast> CPU)');
});

test('the loss plot has a panel of whole packets and a panel of 128 bytes of each', () => {
  const parameters = ['1 Gb/s', 'TCP max', '1 Gb/s, 128 B of each', 'TCP max, 128 B of each'];
  const drawn = draw({
    ...anyResult,
    figure: 'loss',
    rows: parameters.flatMap((parameter) => [
      row('podcap', parameter, 0, 0),
      row('host-tcpdump', parameter, 33, 82),
    ]),
  });
  expect(drawn).toContain('whole packets, TCP max: Podcap 0, ');
  expect(drawn).toContain('128 bytes of each packet, 1 Gb/s: Podcap 0, ');
  expect(drawn.match(/>TCP max</g)).toHaveLength(2);
});

test('the merge plot compares the programs for each kind of packets and files', () => {
  const drawn = draw({
    ...anyResult,
    figure: 'merge',
    rows: ['1,400 B', '66 B', '1,400 B in 100 files each'].flatMap((parameter) => [
      row('podcap', parameter, 900, 1_000, 1_100),
      row('mergecap', parameter, 3),
    ]),
  });
  expect(drawn).toContain('>MB/s of input; 100 rings, by the length of their packets<');
  expect(drawn).toContain(', 66 B: Podcap 1000, mergecap 3;');
  expect(drawn).toContain('of up to 3 runs');
});

function draw(result: Result): string {
  const plot = plots[result.figure];
  if (!plot) throw new Error(`${result.figure} has no plot`);
  return plot(result);
}
