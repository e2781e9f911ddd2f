import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { annotationRules } from '../src/agent/planner/annotations.ts';

// Without a cluster and without Helm: `make check` fails if a rule is changed in the agent alone.
test('the admission policy of podcap.yaml (chart/templates/_admission.tpl) allows what the agent allows', async () => {
  const manifests = await readFile(join(import.meta.dirname, 'podcap.yaml'), 'utf8');
  const rules = [...manifests.matchAll(/"annotation ([^"]*)=" \+\n.*\n +": must be (.*)"/g)];
  expect(rules.map(([, key, allowed]) => ({ key, allowed }))).toEqual(
    Object.values(annotationRules({ maxFiles: 100, maxFileMegabytes: 100 })).map(({ key, allowed }) => ({
      key,
      allowed,
    })),
  );
});

test('a numeric bound that the policy states in words is also in its CEL expression', async () => {
  const manifests = await readFile(join(import.meta.dirname, 'podcap.yaml'), 'utf8');
  const rules = [
    ...manifests.matchAll(/\.all\(value,\n((?:.*\n)+?) +messageExpression(?:.*\n)+? +": must be (.*)"/g),
  ];
  expect(rules).toHaveLength(Object.keys(annotationRules({ maxFiles: 100, maxFileMegabytes: 100 })).length);
  for (const [, expression, allowed] of rules) {
    const [, least, most] = /from (\w+) to (\w+)/.exec(allowed ?? '') ?? [];
    if (least === undefined || most === undefined) continue;
    expect(expression).toMatch(new RegExp(`>= (?:duration\\(")?${least}\\b`));
    expect(expression).toMatch(new RegExp(`<= (?:duration\\(")?${most}\\b`));
  }
});
