import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clusterModules, estimatedSeconds, installArguments, moduleOf, requiredVersion } from './binaries.ts';

const goModOf = (name: string) => readFileSync(join(import.meta.dirname, 'modules', name, 'go.mod'), 'utf8');

describe('requiredVersion', () => {
  const goMod = 'module m\n\nrequire a.b/c v1.2.3\n\nrequire (\n\td.e/f v4.5.6 // indirect\n)\n';
  it.each([
    ['a single line', 'a.b/c', 'v1.2.3'],
    ['a line of a block', 'd.e/f', 'v4.5.6'],
  ])('reads %s', (_name, path, version) => {
    expect(requiredVersion(goMod, path)).toBe(version);
  });

  it('throws if the module is not required', () => {
    expect(() => requiredVersion(goMod, 'a.b')).toThrow('does not require a.b');
  });
});

describe('installArguments', () => {
  it.each(clusterModules.map((module) => [module.name, module] as const))(
    '%s: the programs are stripped and contain no paths',
    (name, module) => {
      const args = installArguments(module, goModOf(name));
      expect(args).toEqual(expect.arrayContaining(['install', '-trimpath', 'tool']));
      expect(args.at(args.indexOf('-ldflags') + 1)).toContain('-s -w');
    },
  );

  it('link the version that the go.mod requires into Kubernetes', () => {
    const kubernetes = moduleOf('kubelet');
    const goMod = goModOf('kubernetes');
    expect(kubernetes && installArguments(kubernetes, goMod).join(' ')).toContain(
      `gitVersion=${requiredVersion(goMod, 'k8s.io/kubernetes')}`,
    );
  });
});

describe('moduleOf', () => {
  it.each([
    ['kubectl', 'kubernetes'],
    ['ctr', 'containerd'],
    ['helm', 'helm'],
    ['prometheus', 'prometheus'],
    ['promtool', 'prometheus'],
    ['kind', 'kind'],
    ['actionlint', 'actionlint'],
    ['validate-krew-manifest', 'krew'],
    ['rm', undefined],
  ])('%s is built by %s', (binary, name) => {
    expect(moduleOf(binary)?.name).toBe(name);
  });

  it.each(clusterModules.map((module) => [module.name, module] as const))(
    '%s: lists every tool of its go.mod',
    (name, module) => {
      const tools = goModOf(name).match(/^(tool |\t)[\w./-]+$/gm) ?? [];
      expect(module.binaries).toHaveLength(tools.length);
    },
  );
});

describe('estimatedSeconds', () => {
  it('is the measured time on 2 cores', () => {
    expect(estimatedSeconds([{ name: 'm', binaries: [], seconds: 100 }], 2)).toBe(100);
  });

  it('falls with more cores, down to a quarter', () => {
    expect(estimatedSeconds([{ name: 'm', binaries: [], seconds: 100 }], 4)).toBe(50);
    expect(estimatedSeconds([{ name: 'm', binaries: [], seconds: 100 }], 64)).toBe(25);
  });
});
