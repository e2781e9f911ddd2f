import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { annotationRules, captureAnnotation } from '../src/agent/planner/annotations.ts';

const ours = Object.values(annotationRules({ maxFiles: 100, maxFileMegabytes: 100 }));

// Without a cluster and without Helm: `make check` fails if a rule is changed in the agent alone.
test('the admission policy of podcap.yaml (chart/templates/_admission.tpl) allows what the agent allows', async () => {
  const manifests = await readFile(join(import.meta.dirname, 'podcap.yaml'), 'utf8');
  const rules = [...manifests.matchAll(/"annotation ([^"]*)=" \+\n.*\n +": must be (.*)"/g)];
  const agents = ours.map(({ key, allowed }) => ({ key, allowed }));
  // One policy refuses, the other warns.
  expect(rules.map(([, key, allowed]) => ({ key, allowed }))).toEqual([...agents, ...agents]);
});

test('the policies list the annotations that the agent suggests instead of an unknown one', async () => {
  const manifests = await readFile(join(import.meta.dirname, 'podcap.yaml'), 'utf8');
  const options = ours.map(({ key }) => key).filter((key) => key !== captureAnnotation);
  const lists = [...manifests.matchAll(/ is unknown: must be one of (.*)"/g)].map(([, list]) => list);
  expect(lists).toEqual([options.join(', '), options.join(', ')]);
});

test('the admission policy refuses the word in filters that stands for a loop, and no other word', async () => {
  const manifests = await readFile(join(import.meta.dirname, 'podcap.yaml'), 'utf8');
  const [, pattern = ''] =
    /variables\.now\["podcap\.dev\/filter"\]\.matches\(r"(.*)"\)/.exec(manifests) ?? [];
  const loop = new RegExp(pattern);
  for (const filter of ['protochain 6', 'ip6 protochain \\tcp', 'not (ip protochain 17)'])
    expect(filter).toMatch(loop);
  for (const filter of ['proto 6', 'ip proto \\tcp', 'xprotochain', 'protochains'])
    expect(filter).not.toMatch(loop);
});

test('a numeric bound that the policy states in words is also in its CEL expression', async () => {
  const manifests = await readFile(join(import.meta.dirname, 'podcap.yaml'), 'utf8');
  const rules = [
    ...manifests.matchAll(/\.all\(value,\n((?:.*\n)+?) +messageExpression(?:.*\n)+? +": must be (.*)"/g),
  ];
  expect(rules).toHaveLength(2 * ours.length);
  for (const [, expression, allowed] of rules) {
    const [, least, most] = /from (\w+) to (\w+)/.exec(allowed ?? '') ?? [];
    if (least === undefined || most === undefined) continue;
    expect(expression).toMatch(new RegExp(`>= (?:duration\\(")?${least}\\b`));
    expect(expression).toMatch(new RegExp(`<= (?:duration\\(")?${most}\\b`));
  }
});
