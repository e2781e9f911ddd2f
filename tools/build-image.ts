import { join } from 'node:path';
import { cacheFolder } from '../cluster/layout.ts';
import { lock } from '../cluster/lock.ts';
import { findBuilder } from './image-builder.ts';
import { loadImage } from './load-image.ts';
import { Failed, tool } from './shell.ts';
import { checkout, findTarget } from './target.ts';

/** The same name for docker, kind and containerd, which all read it as docker.io/library/podcap:latest. */
const image = 'podcap:latest';

const archive = join(checkout, 'build/podcap.tar');
const say = (line: string) => void process.stderr.write(`${line}\n`);

const commands: Readonly<Record<string, () => Promise<void>>> = { build, load };

async function build(): Promise<void> {
  const started = performance.now();
  const builder = await findBuilder({ checkout, cache: cacheFolder(process.env), say });
  say(`building ${image} with ${builder.name}`);
  await builder.build(image);
  await builder.save(image, archive);
  say(
    `${image} is built, and saved as ${archive}, after ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
}

async function load(): Promise<void> {
  await loadImage(await findTarget(process.env), { image, archive, say });
}

await tool(async () => {
  const name = process.argv[2] ?? '';
  const command = commands[name];
  if (command === undefined) throw new Failed('usage: node tools/build-image.ts build|load');
  await using alone = await lock('podcap-image', `image ${name} of ${checkout}`);
  if (alone === undefined)
    throw new Failed('another build of the image is at work; try again when it has ended');
  await command();
  return 0;
});
