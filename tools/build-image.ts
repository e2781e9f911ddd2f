import { join } from 'node:path';
import { cacheFolder } from '../cluster/layout.ts';
import { lock } from '../cluster/lock.ts';
import { findBuilder } from './image-builder.ts';
import { loadImage } from './load-image.ts';
import { Failed, tool } from './shell.ts';
import { checkout, findTarget } from './target.ts';

/** Docker, kind and containerd all read this name as docker.io/library/podcap:latest. */
const image = 'podcap:latest';

const archive = join(checkout, 'build/podcap.tar');
const say = (line: string) => void process.stderr.write(`${line}\n`);

/** `build` makes the image and its archive; `load` brings the archive to the Nodes of the target cluster. */
const commands: Readonly<Record<string, () => Promise<void>>> = { build, load };

async function build(): Promise<void> {
  const started = performance.now();
  const builder = await findBuilder({ checkout, cache: cacheFolder(process.env), say });
  say(`building ${image} with ${builder.name}`);
  await builder.build(image);
  await builder.save(image, archive);
  say(`built ${image} and saved it as ${archive} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

async function load(): Promise<void> {
  await loadImage(await findTarget(process.env), { image, archive, say });
}

await tool(async () => {
  const name = process.argv[2] ?? '';
  const command = commands[name];
  if (command === undefined) throw new Failed('usage: node tools/build-image.ts build|load');
  await using acquired = await lock('podcap-image', `image ${name} of ${checkout}`);
  if (acquired === undefined)
    throw new Failed('the image is being built or loaded by another command; try again when that has ended');
  await command();
  return 0;
});
