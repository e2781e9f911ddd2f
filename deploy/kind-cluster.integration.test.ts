import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../src/testbed/temporary-folder.ts';
import { built } from '../tools/go-program.ts';
import { checkout } from '../tools/target.ts';

// kind reads its configuration before it looks for a Docker engine. end-to-end/docker has one, and goes further.

let kind: string;
let configuration: string;
beforeAll(async () => {
  kind = await built('kind');
  configuration = await readFile(join(checkout, 'deploy/kind-cluster.yaml'), 'utf8');
});

test('kind reads the configuration of `make kind`, and stops only because it has no Docker engine', async () => {
  const message = await createCluster(configuration);
  expect(message).toContain('failed to get docker info');
  expect(message).not.toContain('config');
});

test.each([
  [
    'a field that it does not have',
    'disableDefaultCNI',
    'disableDefaultCni',
    'field disableDefaultCni not found',
  ],
  ['a value of another type', 'disableDefaultCNI: true', 'disableDefaultCNI: none', 'cannot unmarshal'],
  ['another version', 'v1alpha4', 'v1alpha5', 'unknown apiVersion: kind.x-k8s.io/v1alpha5'],
])('kind refuses a configuration with %s', async (_mistake, right, wrong, message) => {
  expect(configuration).toContain(right);
  expect(await createCluster(configuration.replace(right, wrong))).toContain(message);
});

/** Lets kind create a cluster where it finds no container engine. Returns why it fails. */
async function createCluster(config: string): Promise<string> {
  await using empty = await temporaryFolder();
  const env = { PATH: empty.path, HOME: empty.path };
  const child = spawn(kind, ['create', 'cluster', '--config', '-'], { env });
  child.stdin.end(config);
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  expect(code).toBe(1);
  return stderr;
}
