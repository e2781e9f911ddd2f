import { expect, test } from 'vitest';
import { cliTerminal } from '../testing/cli-terminal.ts';
import { liveReport } from './live-report.ts';

const pods = Array.from({ length: 50 }, (_, at) => ({
  key: `uid-${at}`,
  namespace: 'shop',
  name: `web-${at}`,
  node: 'n1',
}));

test('a hub that is restarted while many Pods are watched does not fill the screen', () => {
  const { terminal, stderr } = cliTerminal();
  const report = liveReport(terminal);
  for (const pod of pods) report.opened(pod, undefined);
  for (const pod of pods) report.cut(pod, 'the hub is gone');
  for (const pod of pods) report.opened(pod, 1_000);
  const lines = stderr().trimEnd().split('\n');
  expect(lines).toHaveLength(21);
  expect(lines[10]).toBe('podcap: more Pods are tried again');
  expect(report.summary(7, 1)).toBe(3);
});

test('Pods for which a Node has no place are not forgotten at the end', () => {
  const { terminal, stderr } = cliTerminal();
  const report = liveReport(terminal);
  for (const pod of pods.slice(0, 3)) report.cut(pod, 'this Node has 16 live captures, as many as it may');
  report.opened({ key: 'other', namespace: 'shop', name: 'other', node: 'n1' }, undefined);
  expect(report.summary(7, 1)).toBe(3);
  expect(stderr().split('\n').slice(-3, -1)).toEqual([
    'podcap: 3 Pods were not watched at the end',
    'podcap: 7 packets of 1 Pod in 1.0 s',
  ]);
});

test('a Pod whose stream is cut again and again does not fill the screen', () => {
  const { terminal, stderr } = cliTerminal();
  const report = liveReport(terminal);
  const web = { key: 'uid', namespace: 'shop', name: 'web', node: 'n1' };
  for (let at = 0; at < 100; at += 1) {
    report.opened(web, at === 0 ? undefined : 1_000);
    report.cut(web, 'the stream was cut');
  }
  const lines = stderr().trimEnd().split('\n');
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toBe('podcap: web is cut again and again; no more of that is said');
});

test('damage does not fill the screen', () => {
  const { terminal, stderr } = cliTerminal();
  const report = liveReport(terminal);
  const web = { key: 'uid', namespace: 'shop', name: 'web', node: 'n1' };
  report.opened(web, undefined);
  const damage = { message: 'web, byte 1: no block', kind: 'corrupt', offset: 1, resumedAt: 9 } as const;
  report.damaged(
    web,
    Array.from({ length: 50 }, () => damage),
  );
  expect(stderr().trimEnd().split('\n')).toHaveLength(11);
  expect(report.summary(1, 1)).toBe(3);
});

test('at a terminal, it says what is watched', () => {
  const { terminal, stderr } = cliTerminal({ isTTY: true });
  liveReport(terminal).begin(pods);
  liveReport(terminal).begin(pods.slice(0, 1));
  expect(stderr()).toBe('podcap: watching 50 Pods; Ctrl-C ends\npodcap: watching web-0; Ctrl-C ends\n');
});
