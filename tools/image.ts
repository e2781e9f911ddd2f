import { dirname, join } from 'node:path';
import { cacheFolder } from '../cluster/layout.ts';
import { lock } from '../cluster/lock.ts';
import { findBuilder } from './builder.ts';
import { findDestination } from './destination.ts';

/** The same name for docker, kind and containerd, which all read it as docker.io/library/podcap:latest. */
const image = 'podcap:latest';

const checkout = dirname(import.meta.dirname);
const archive = join(checkout, 'build/podcap.tar');
const say = (line: string) => void process.stderr.write(`${line}\n`);

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
  const destination = await findDestination(checkout, process.env);
  say(`loading ${image} into ${destination.description}`);
  await destination.load({ image, archive, say });
}

async function main([command]: readonly string[]): Promise<number> {
  if (command !== 'build' && command !== 'load') {
    say('usage: node tools/image.ts build|load');
    return 2;
  }
  await using alone = await lock('podcap-image', `image ${command} of ${checkout}`);
  if (alone === undefined) {
    say('another build of the image is at work; try again when it has ended');
    return 1;
  }
  await (command === 'build' ? build() : load());
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
