import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hierarchies } from '../../cluster/cgroups.ts';
import { cgroupName } from '../../cluster/layout.ts';
import { baseImages } from '../../tools/base-images.ts';
import { loadBaseImages, startDockerEngine } from '../support/docker-engine.ts';

test('the Docker engine of these tests leaves no process, mount, cgroup or file behind', async () => {
  const before = files();
  const { folder, during } = await buildSomething();
  expect(during).toContain(folder);
  expect(during).toEqual(expect.arrayContaining(cgroups()));
  expect(during).toContainEqual(expect.stringMatching(/cmdline$/));
  expect(during).toContainEqual(expect.stringMatching(/mounts$/));
  expect(traces(folder)).toEqual([]);
  expect(files()).toEqual(before);
});

/** Returns the engine's folder, and its traces while it ran. */
async function buildSomething(): Promise<{ readonly folder: string; readonly during: string[] }> {
  await using engine = await startDockerEngine();
  await loadBaseImages(engine);
  const context = join(engine.folder, 'context');
  await mkdir(context);
  await writeFile(join(context, 'Dockerfile'), `FROM ${baseImages.debian}\nRUN true\n`);
  await engine.docker('build', '--network', 'host', context);
  return { folder: engine.folder, during: traces(engine.folder) };
}

/** What names the engine's folder in /proc, in any namespace; the folder; and the engine's cgroups. */
function traces(folder: string): string[] {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const paths = processes.flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/mounts`]);
  const naming = paths.filter((path) => read(path).includes(folder));
  return [...naming, ...[folder, ...cgroups()].filter((path) => existsSync(path))];
}

function cgroups(): string[] {
  return hierarchies().map((hierarchy) => join(hierarchy, cgroupName, 'docker'));
}

/** What dockerd and containerd would have outside the folder. */
function files(): string[] {
  const folders = ['/etc/docker', '/run/docker', '/run/containerd', '/var/lib/docker', '/var/lib/containerd'];
  return folders.flatMap((folder) => {
    return existsSync(folder) ? [folder, ...readdirSync(folder).map((name) => join(folder, name))] : [];
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // the process has ended
  }
}
