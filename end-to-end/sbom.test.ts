import { join } from 'node:path';
import { build } from 'esbuild';
import * as v from 'valibot';
import { beforeAll, expect, test } from 'vitest';
import { packageFolder } from '../tools/sbom/npm.ts';
import type { SbomComponent } from '../tools/sbom/sbom-component.ts';
import { billOf } from '../tools/sbom.ts';
import { checkout } from '../tools/target.ts';
import { execInAgent } from './support/agents.ts';

// The bill of materials is made from the image's archive, and compared with what runs on the cluster.

let bill: Awaited<ReturnType<typeof billOf>>;
beforeAll(async () => {
  bill = await billOf(join(checkout, 'build/podcap.tar'));
});

test('lists every Debian package of the agents, and no other', async () => {
  const packages = await execInAgent(
    'node1',
    'dpkg-query',
    '--show',
    '--showformat',
    '${Package}@${Version}\n',
  );
  expect(named('pkg:deb/')).toEqual(packages.trim().split('\n').toSorted());
  for (const name of ['tcpdump', 'libpcap0.8', 'tini', 'libc6'])
    expect(bill.components.map((component) => component.name)).toContain(name);
});

test("lists the agents' Node.js and the libraries in it", async () => {
  const versions = v.parse(
    v.looseObject({ node: v.string(), openssl: v.string(), v8: v.string() }),
    JSON.parse(await execInAgent('node1', 'node', '-p', 'JSON.stringify(process.versions)')),
  );
  expect(named('pkg:generic/node@')).toEqual([`node@${versions.node}`]);
  expect(bill.components).toContainEqual(
    expect.objectContaining({ name: 'openssl (in node)', version: versions.openssl }),
  );
});

test('lists every npm package that is bundled, and no other', async () => {
  const programs = ['agent/main', 'hub/main', 'commands/main', 'examples/example-traffic'];
  const entryPoints = programs.map((program) => `src/${program}.ts`);
  const options = { bundle: true, platform: 'node', write: false, metafile: true, outdir: '.' } as const;
  const { metafile } = await build({ absWorkingDir: checkout, entryPoints, ...options });
  const folders = new Set(Object.keys(metafile.inputs).flatMap((file) => packageFolder(file) ?? []));
  // A package of another version is in the folder of the package that needs it.
  const names = [...folders].map((folder) => folder.replace(/^.*node_modules\//, ''));
  expect(
    ofKind('pkg:npm/')
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(names.toSorted());
  const texts = await execInAgent('node1', 'cat', '/usr/share/doc/podcap/licenses.txt');
  for (const name of names)
    expect(texts).toMatch(
      new RegExp(`^== ${name} \\((?:MIT|Apache-2\\.0|BSD-3-Clause|0BSD)\\)\\n\\n[^=]*(?:icense|ermi)`, 'm'),
    );
});

test('names the license of each component, or the image has a file that does', async () => {
  const unnamed = bill.components.filter(({ licenses }) => licenses.length === 0);
  for (const { name } of unnamed) {
    expect(await execInAgent('node1', 'cat', `/usr/share/doc/${name}/copyright`)).toMatch(/copyright/i);
  }
  expect(unnamed.length).toBeLessThan(6);
  expect(await execInAgent('node1', 'head', '-n', '1', '/usr/share/doc/nodejs/copyright')).toContain(
    'Node.js',
  );
  for (const { name, version } of bill.components)
    expect(bill.licenses).toContain(`| ${name} | ${version} |`);
});

test('is in the format of CycloneDX 1.6', () => {
  const { components, dependencies, metadata } = v.parse(cycloneDxSchema, bill.document);
  const refs = components.map((component) => component['bom-ref']);
  expect(new Set(refs).size).toBe(refs.length);
  expect(dependencies).toEqual([{ ref: metadata.component['bom-ref'], dependsOn: refs }]);
});

/** The part of https://cyclonedx.org/schema/bom-1.6.schema.json that is used here. */
const hashes = v.array(
  v.strictObject({
    alg: v.picklist(['SHA-256', 'SHA-512']),
    content: v.pipe(v.string(), v.regex(/^[a-f0-9]{64,128}$/)),
  }),
);
const component = v.strictObject({
  type: v.picklist(['application', 'container', 'library', 'operating-system']),
  'bom-ref': v.pipe(v.string(), v.minLength(1)),
  name: v.pipe(v.string(), v.minLength(1)),
  version: v.pipe(v.string(), v.minLength(1)),
  purl: v.optional(v.pipe(v.string(), v.regex(/^pkg:(?:deb|npm|generic)\/[^@]+@[^@]+$/))),
  licenses: v.optional(
    v.array(
      v.strictObject({
        license: v.union([
          v.strictObject({ id: v.string() }),
          v.strictObject({ name: v.pipe(v.string(), v.minLength(1)) }),
        ]),
      }),
    ),
  ),
  hashes: v.optional(hashes),
});
const cycloneDxSchema = v.strictObject({
  bomFormat: v.literal('CycloneDX'),
  specVersion: v.literal('1.6'),
  version: v.literal(1),
  metadata: v.strictObject({ timestamp: v.pipe(v.string(), v.isoTimestamp()), component }),
  components: v.array(component),
  dependencies: v.array(v.strictObject({ ref: v.string(), dependsOn: v.array(v.string()) })),
});

function ofKind(purl: string): SbomComponent[] {
  return bill.components.filter((each) => each.purl.startsWith(purl));
}

function named(purl: string): string[] {
  return ofKind(purl)
    .map(({ name, version }) => `${name}@${version}`)
    .toSorted();
}
