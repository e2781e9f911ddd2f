import * as v from 'valibot';
import { expect, test } from 'vitest';
import { type AuditEvent, auditLine, auditLog } from './audit.ts';

const time = new Date('2026-11-30T10:00:00Z');

const ended: AuditEvent = {
  event: 'StreamEnded',
  id: 'i-1',
  auditId: 'a-1',
  caller: { user: 'jane', uid: '42', groups: ['b', 'a'], extra: { scope: ['x'] }, from: '203.0.113.7' },
  verb: 'download',
  namespace: 'shop',
  name: 'web',
  recording: 'u-1',
  node: 'node-1',
  parameters: { filter: 'tcp' },
  ending: 'Complete',
  bytes: 24,
  durationMs: 7,
};

test('is one line of JSON', () => {
  expect(JSON.parse(auditLine(ended, time))).toEqual({
    audit: true,
    time: '2026-11-30T10:00:00.000Z',
    event: 'StreamEnded',
    id: 'i-1',
    auditId: 'a-1',
    user: 'jane',
    uid: '42',
    groups: ['b', 'a'],
    from: '203.0.113.7',
    verb: 'download',
    namespace: 'shop',
    name: 'web',
    recording: 'u-1',
    node: 'node-1',
    parameters: { filter: 'tcp' },
    ending: 'Complete',
    bytes: 24,
    durationMs: 7,
  });
});

test.for(['\n{"audit":true}', '\u001b[2J', '\u202egnp', '\u2028', '\ud800', '\u009b31m'])(
  'what a client chose stays in its line, and acts on no terminal: %j',
  (text) => {
    const caller = { ...ended.caller, user: text, groups: [text], uid: text };
    const line = auditLine({ ...ended, caller, auditId: text, parameters: { filter: text } }, time);
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(line)).toMatchObject({
      user: text,
      uid: text,
      groups: [text],
      auditId: text,
      parameters: { filter: text },
    });
  },
);

test('is bounded, and says so', () => {
  const groups = Array.from({ length: 1_000 }, (_, index) => `group-${index}`);
  const caller = { ...ended.caller, user: 'u'.repeat(100_000), groups };
  const parameters = { filter: 'f'.repeat(100_000) };
  const line = auditLine({ ...ended, caller, recording: 'r'.repeat(100_000), parameters }, time);
  expect(line.length).toBeLessThan(16 * 1024);
  expect(JSON.parse(line)).toMatchObject({
    user: `${'u'.repeat(1_024)}...`,
    groupsLeftOut: 900,
    recording: `${'r'.repeat(1_024)}...`,
    parameters: { filter: `${'f'.repeat(8_192)}...` },
  });
});

test('what was refused is shorter still, whatever was asked for', () => {
  const refused: AuditEvent = {
    ...ended,
    event: 'StreamRefused',
    code: 400,
    reason: 'BadRequest',
    message: 'm',
  };
  const parameters = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, index) => [`${index}${'n'.repeat(1_000)}`, '\u00ad'.repeat(10_000)]),
  );
  const line = auditLine({ ...refused, parameters }, time);
  expect(line.length).toBeLessThan(16 * 1024);
  expect(JSON.parse(line)).toMatchObject({ parametersLeftOut: 990 });
});

test('many refusals of one user are only counted, and hide nothing of anyone', () => {
  const lines: string[] = [];
  let nowMs = 0;
  const limits = { burst: 2, everyMs: 1_000 };
  const audit = auditLog((line) => lines.push(line), { limits, now: () => nowMs });
  const refused = (user: string): AuditEvent => ({
    ...ended,
    caller: { ...ended.caller, user },
    event: 'StreamRefused',
    code: 403,
    reason: 'Forbidden',
    message: 'm',
  });
  for (let count = 0; count < 1_000; count += 1) audit(refused('mallory'));
  audit(refused('jane'));
  audit({ ...ended, caller: { ...ended.caller, user: 'mallory' } });
  nowMs += 1_000;
  audit(refused('mallory'));
  nowMs += 1_000;
  audit(refused('mallory'));
  expect(lines.map((line) => v.parse(lineSchema, JSON.parse(line)))).toEqual([
    { user: 'mallory', event: 'StreamRefused' },
    { user: 'mallory', event: 'StreamRefused' },
    { user: 'jane', event: 'StreamRefused' },
    { user: 'mallory', event: 'StreamEnded' },
    { user: 'mallory', event: 'StreamRefused', refusalsLeftOut: 998 },
    { user: 'mallory', event: 'StreamRefused' },
  ]);
});

const lineSchema = v.object({
  user: v.string(),
  event: v.string(),
  refusalsLeftOut: v.optional(v.number()),
});

test('ends each line', () => {
  const lines: string[] = [];
  const audit = auditLog((line) => lines.push(line));
  audit(ended);
  audit(ended);
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toMatch(/^{[^\n]*}\n$/);
});
