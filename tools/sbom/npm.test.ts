import { expect, test } from 'vitest';
import { bundledPackages, packageFolder } from './npm.ts';

const lock = {
  packages: {
    '': { version: '1.0.0' },
    'node_modules/pino': { version: '10.4.0', license: 'MIT', integrity: 'sha512-AAEC' },
    'node_modules/@pinojs/redact': { version: '0.4.0', license: 'MIT' },
    'node_modules/pino/node_modules/valibot': { version: '1.0.0' },
    'node_modules/never-bundled': { version: '2.0.0', license: 'GPL-3.0' },
  },
};

test.each([
  ['src/main.ts', undefined],
  ['node_modules/pino/lib/proto.js', 'node_modules/pino'],
  ['node_modules/@pinojs/redact/index.js', 'node_modules/@pinojs/redact'],
  ['node_modules/pino/node_modules/valibot/dist/index.mjs', 'node_modules/pino/node_modules/valibot'],
])('%s belongs to the package %s', (file, folder) => {
  expect(packageFolder(file)).toBe(folder);
});

test('lists the packages in the bundle with the data of the lock file, and no other package', () => {
  const files = [
    'src/main.ts',
    'node_modules/pino/lib/proto.js',
    'node_modules/pino/pino.js',
    'node_modules/@pinojs/redact/index.js',
    'node_modules/pino/node_modules/valibot/dist/index.mjs',
  ];
  const inputs = Object.fromEntries(files.map((file) => [file, {}]));
  expect(bundledPackages({ inputs }, lock)).toEqual([
    {
      kind: 'library',
      name: '@pinojs/redact',
      version: '0.4.0',
      purl: 'pkg:npm/%40pinojs/redact@0.4.0',
      licenses: ['MIT'],
    },
    {
      kind: 'library',
      name: 'pino',
      version: '10.4.0',
      purl: 'pkg:npm/pino@10.4.0',
      licenses: ['MIT'],
      sha512: '000102',
    },
    { kind: 'library', name: 'valibot', version: '1.0.0', purl: 'pkg:npm/valibot@1.0.0', licenses: [] },
  ]);
});

test('throws if the lock file does not have a package of the bundle', () => {
  const inputs = { 'node_modules/unlocked/index.js': {} };
  expect(() => bundledPackages({ inputs }, lock)).toThrow('package-lock.json has no node_modules/unlocked');
});
