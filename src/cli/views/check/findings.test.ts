import { expect, test } from 'vitest';
import type { CaptureRecording } from '../../../api/capture.ts';
import { testCapture, testRecording } from '../../../hub/api/testing/memory-captures.ts';
import { apiFinding } from './api-findings.ts';
import { capturesFindings } from './capture-findings.ts';
import { type AgentPod, installedFindings, nodeFindings } from './component-findings.ts';
import type { Finding } from './finding.ts';
import { kubectlFinding } from './local-findings.ts';
import { rightFindings, rights } from './rights-findings.ts';

function lines(findings: readonly Finding[]): string[] {
  return findings.map(({ status, subject, text }) => `${status} ${subject}: ${text}`);
}

test.each([
  ['v1.36.3', 'ok kubectl: v1.36.3'],
  ['v1.22.0', 'fix kubectl: v1.22.0 is too old: install 1.23 or newer'],
  [undefined, 'fix kubectl: it does not run: install kubectl 1.23 or newer'],
])('kubectl %s', (version, expected) => {
  expect(lines([kubectlFinding(version)])[0]).toContain(expected);
});

function refused(status: number, message: string) {
  return { kind: 'refused', status, reason: '', message, canRetry: false } as const;
}

test.each([
  [
    { kind: 'object', object: {}, warnings: [] } as const,
    undefined,
    'ok API: podcap.dev/v1alpha1 is available',
  ],
  [refused(404, 'no podcap.dev API\nWithout the hub'), undefined, 'fix API: no podcap.dev API'],
  [refused(403, 'you may not ask'), undefined, 'note API: you may not ask'],
  [
    { kind: 'object', object: {}, warnings: [] } as const,
    { type: 'Available', status: 'False', reason: 'FailedDiscoveryCheck', message: 'timeout' },
    'fix API: APIService v1alpha1.podcap.dev is not available (FailedDiscoveryCheck: timeout): kubectl describe apiservice v1alpha1.podcap.dev',
  ],
])('the API: %j', (answer, available, expected) => {
  expect(lines([apiFinding(answer, available)])).toEqual([expected]);
});

const agents = { subject: 'agents', things: 'Nodes', kind: 'daemonset' } as const;
const installation = { namespace: 'kube-system', name: 'podcap', version: '0.2.0' };

test.each([
  [
    { ...installation, ready: 3, desired: 3, updated: 3 },
    'ok agents: 0.2.0: 3 of 3 Nodes ready (kube-system/podcap)',
  ],
  [
    { ...installation, ready: 3, desired: 3, updated: 1 },
    'ok agents: 0.2.0: 3 of 3 Nodes ready, 2 of them still older (kube-system/podcap)',
  ],
  [
    { ...installation, ready: 2, desired: 3, updated: 3 },
    'fix agents: 0.2.0: 2 of 3 Nodes ready: kubectl describe daemonset podcap -n kube-system',
  ],
  [
    { ...installation, ready: 0, desired: 0, updated: 0 },
    'fix agents: 0.2.0: 0 of 0 Nodes ready: kubectl describe daemonset podcap -n kube-system',
  ],
])('agents %j', (component, expected) => {
  expect(lines(installedFindings(agents, { kind: 'known', components: [component] }))).toEqual([expected]);
});

test('agents that are not there, or not known', () => {
  expect(lines(installedFindings(agents, { kind: 'known', components: [] }))).toEqual([
    "fix agents: not installed: an administrator installs it with Podcap's chart",
  ]);
  expect(lines(installedFindings(agents, { kind: 'unknown', message: 'forbidden' }))).toEqual([
    'note agents: not known to you: forbidden',
  ]);
});

function agentOn(node: string, isReady = true, image = 'podcap:1'): AgentPod {
  return { namespace: 'kube-system', name: `podcap-${node}`, node, isReady, image };
}

test('Nodes whose agent is missing, not ready or older', () => {
  const nodes = ['a', 'b', 'c', 'd'].map((name) => ({ name, isLinux: name !== 'd' }));
  expect(nodeFindings(nodes, [agentOn('a'), agentOn('b'), agentOn('c')])).toEqual([]);
  const found = lines(nodeFindings(nodes, [agentOn('a', true, 'podcap:0'), agentOn('b', false)]));
  expect(found).toEqual([
    'fix agents: the one on Node b is not ready: kubectl describe pod podcap-b -n kube-system',
    expect.stringContaining('note agents: none on Node c, so Pods there cannot be captured'),
    'note agents: they run different images: podcap:0, podcap:1',
  ]);
  // As while an update brings a second one.
  expect(nodeFindings(nodes.slice(0, 1), [agentOn('a', false), agentOn('a')])).toEqual([]);
});

test('hundreds of Nodes without an agent are not hundreds of lines', () => {
  const nodes = Array.from({ length: 500 }, (_, at) => ({ name: `n${at}`, isLinux: true }));
  const found = nodeFindings(nodes, []);
  expect(found).toHaveLength(21);
  expect(found.at(-1)?.text).toBe('and 480 more lines of this kind');
});

function rightsOf(isAllowed: (question: string) => boolean) {
  const given = rights.map((right) => ({
    right,
    answers: right.questions.map((question) => ({
      ...question,
      allowed: isAllowed(`${question.verb} ${question.resource}`),
    })),
  }));
  return lines(rightFindings(given, 'shop'));
}

test('the rights of a user who may do everything, and of one who may do nothing', () => {
  expect(rightsOf(() => true)).toEqual([
    'ok list: you may get, list, watch captures in namespace shop',
    'ok save: you may download captures, get captures/log in namespace shop',
    'ok live: you may tap captures, get captures/attach in namespace shop',
    'ok start: you may patch pods in namespace shop',
    'ok start --policy: you may create capturepolicies.policy.podcap.dev in namespace shop',
    'ok kubectl delete: you may delete captures in namespace shop',
  ]);
  expect(rightsOf(() => false).map((line) => line.split(' ')[0])).toEqual([
    'fix',
    'fix',
    'fix',
    'fix',
    'fix',
    'note',
  ]);
});

test('one way to start a capture is enough', () => {
  expect(rightsOf((question) => question !== 'patch pods')[3]).toBe(
    'note start: you may not patch pods in namespace shop: use start --policy',
  );
  expect(rightsOf((question) => question !== 'create capturepolicies')[4]).toBe(
    'note start --policy: you may not create capturepolicies.policy.podcap.dev in namespace shop: use start',
  );
});

test('of a command, only what is missing is named', () => {
  expect(rightsOf((question) => question !== 'watch captures')[0]).toBe(
    'fix list: you may not watch captures in namespace shop: ask an administrator to bind ClusterRole podcap-view to you there',
  );
});

function captured(name: string, fields: Partial<CaptureRecording>) {
  return testCapture({ name, recordings: [testRecording(fields)] });
}

test('captures that do not run, and why', () => {
  const captures = [
    captured('a', {}),
    captured('b', { phase: 'Refused', reason: 'InvalidRequest', message: 'the filter is wrong' }),
    captured('c', { phase: 'Waiting' }),
    captured('d', { phase: 'Unknown' }),
    captured('e', { phase: 'Paused' }),
  ];
  const warnings = ['podcap: the list may lack captures: no answer from the agent of Node node-b'];
  expect(lines(capturesFindings({ captures, warnings }, 'shop'))).toEqual([
    'fix agents: the list may lack captures: no answer from the agent of Node node-b',
    'ok captures: 5 in namespace shop: 1 Capturing, 1 Refused, 1 Waiting, 1 Unknown, 1 Paused',
    'fix captures: b: Refused (InvalidRequest): the filter is wrong',
    'note captures: c: Waiting',
    'fix captures: d: no agent says anything about it: see whether Node node-a and its agent are up',
  ]);
  expect(
    lines(capturesFindings({ captures: captures.slice(1, 2), warnings: [] }, undefined)).at(-1),
  ).toContain('shop/b: ');
});

test('a list without a warning says that the agents answer', () => {
  expect(lines(capturesFindings({ captures: [], warnings: [] }, 'shop'))).toEqual([
    'ok captures: none in namespace shop; every agent has answered',
  ]);
});

test('hundreds of refused captures are not hundreds of lines', () => {
  const captures = Array.from({ length: 300 }, (_, at) => captured(`p${at}`, { phase: 'Failed' }));
  const found = capturesFindings({ captures, warnings: [] }, 'shop');
  expect(found).toHaveLength(52);
  expect(found.at(-1)?.text).toBe('and 250 more of this kind: kubectl podcap list shows all');
});
