import * as v from 'valibot';
import { runCommand } from '../../cluster/run-command.ts';
import { debianComponent, installedPackages } from './debian.ts';
import type { ImageFiles } from './image-contents.ts';
import { bundledPackages, bundleSchema, lockSchema } from './npm.ts';
import type { SbomComponent } from './sbom-component.ts';

/** Lists everything in an image of Podcap, from its own files. `lock` is the package-lock.json of its build. */
export async function componentsOf(image: ImageFiles, lock: unknown): Promise<SbomComponent[]> {
  const release = /^VERSION_ID="?([^"\n]+)/m.exec(image.read('/usr/lib/os-release'))?.[1] ?? 'unknown';
  const bundle = v.parse(bundleSchema, JSON.parse(image.read(bundlePath)));
  return [
    {
      kind: 'operating-system',
      name: 'debian',
      version: release,
      purl: `pkg:generic/debian@${release}`,
      licenses: ['those of its packages'],
    },
    ...(await nodeComponents(image)),
    ...bundledPackages(bundle, v.parse(lockSchema, lock)),
    ...installedPackages(image.read('/var/lib/dpkg/status')).map((found) => {
      const copyright = `/usr/share/doc/${found.name}/copyright`;
      return debianComponent(found, release, image.has(copyright) ? image.read(copyright) : '');
    }),
  ];
}

/** esbuild's metafile of the bundle; the Dockerfile puts it there. */
export const bundlePath = '/usr/share/doc/podcap/bundle.json';

const versionsSchema = v.record(v.string(), v.string());

/** Node and the libraries in it, as the binary itself reports them. */
async function nodeComponents(image: ImageFiles): Promise<SbomComponent[]> {
  const print = ['-p', 'JSON.stringify(process.versions)'];
  const versions = v.parse(
    versionsSchema,
    JSON.parse(await runCommand(image.pathOf('/usr/local/bin/node'), print)),
  );
  const { node = 'unknown', ...others } = versions;
  const license = image.has('/usr/share/doc/nodejs/copyright') ? ['MIT', 'and those of its libraries'] : [];
  const libraries = Object.entries(others).filter(
    // A library without a version is not in this build.
    ([name, version]) => version !== '' && !notLibraries.has(name),
  );
  return [
    { kind: 'application', name: 'node', version: node, purl: `pkg:generic/node@${node}`, licenses: license },
    ...libraries.map(([name, version]): SbomComponent => {
      const purl = `pkg:generic/${name}@${encodeURIComponent(version)}?in=node`;
      return {
        kind: 'library',
        name: `${name} (in node)`,
        version,
        purl,
        licenses: ["in Node's own copyright file"],
      };
    }),
  ];
}

/** Versions of interfaces and data, not of code. */
const notLibraries = new Set(['modules', 'napi', 'unicode', 'cldr', 'tz']);
