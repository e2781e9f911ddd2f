import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { settingDescriptions } from '../src/agent/settings.ts';
import { renderDocuments } from './documents.ts';
import { checkout } from './target.ts';

let documents: ReadonlyMap<string, string>;
beforeAll(async () => {
  documents = await renderDocuments();
});

test.each([
  'docs/annotations.md',
  'docs/policies.md',
  'docs/settings.md',
  'docs/metrics.md',
  'docs/capture-files.md',
  'docs/cli.md',
  'README.md',
])('%s is what `make docs` would write', async (file) => {
  expect(await readFile(`${checkout}/${file}`, 'utf8')).toBe(documents.get(file));
});

test('the scrape configuration names the port that serves the metrics', async () => {
  const port = /container_port_name\]\n +regex: (.+)\n/.exec(documents.get('docs/metrics.md') ?? '')?.[1];
  const manifests = await readFile(`${checkout}/deploy/podcap.yaml`, 'utf8');
  expect(manifests).toContain(
    `- { name: ${port}, containerPort: ${settingDescriptions.metricsPort.default} }`,
  );
});

test('the row of a setting has its flag, variable, default, allowed values and help text', () => {
  const { flag, env } = settingDescriptions.maxFiles;
  const row = documents
    .get('docs/settings.md')
    ?.split('\n')
    .find((line) => line.includes(`--${flag}`));
  expect(row?.split('|').map((cell) => cell.trim())).toEqual([
    '',
    `\`--${flag}\``,
    `\`${env}\``,
    '`100`',
    'a whole number from 1 to 10000',
    settingDescriptions.maxFiles.help,
    '',
  ]);
});
