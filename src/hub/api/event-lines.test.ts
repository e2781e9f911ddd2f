import { expect, test } from 'vitest';
import { eventLines } from './event-lines.ts';
import type { CaptureForm } from './rendered-captures.ts';
import { testCapture, testRecording } from './testing/memory-captures.ts';

const object: CaptureForm = { representation: { kind: 'object' }, include: 'Metadata' };
const table: CaptureForm = { representation: { kind: 'table', version: 'v1' }, include: 'Metadata' };
const event = { type: 'ADDED', capture: testCapture() } as const;

test('an event is written once for all watches of the same form', () => {
  const lines = eventLines();
  const first = lines.of([event], object, false);
  expect(lines.of([event], object, false)).toBe(first);
  expect(JSON.parse(first.toString())).toEqual({ type: 'ADDED', object: event.capture });
  for (const other of [
    lines.of([{ ...event, type: 'DELETED' }], object, false),
    lines.of([event], table, false),
    lines.of([event], { ...table, include: 'Object' }, false),
    lines.of([event], table, true),
    lines.of([{ ...event, capture: testCapture() }], object, false),
  ]) {
    expect(other).not.toBe(first);
  }
  expect(lines.of([event], table, true).equals(lines.of([event], table, false))).toBe(false);
});

test('ages in a Table are of now', () => {
  let nowMs = Date.parse('2026-11-30T12:00:15Z');
  const lines = eventLines(() => nowMs);
  const first = lines.of([event], table, false).toString();
  expect(first).toContain('"15s"');
  nowMs += 999;
  expect(lines.of([event], table, false).toString()).toBe(first);
  nowMs += 10_000;
  expect(lines.of([event], table, false).toString()).toContain('"25s"');
});

test('a part of several is written once, and the columns of a Table only with its first', () => {
  const lines = eventLines();
  const events = [event, { type: 'MODIFIED', capture: testCapture({ name: 'web-1' }) }] as const;
  const written = lines.of(events, table, true);
  expect(lines.of([...events], table, true)).toBe(written);
  expect(lines.of(events.slice(0, 1), table, true)).not.toBe(written);
  const [first = '', second = '', end] = written.toString().split('\n');
  expect(first).toContain('columnDefinitions');
  expect(JSON.parse(second)).toMatchObject({ type: 'MODIFIED', object: { rows: [{}] } });
  expect(second).not.toContain('columnDefinitions');
  expect(end).toBe('');
});

test('keeps no part for long, and none if there is too much', () => {
  let nowMs = 0;
  const lines = eventLines(() => nowMs);
  const first = lines.of([event], object, false);
  expect(lines.of([event], object, false)).toBe(first);
  nowMs += 5_000;
  const second = lines.of([event], object, false);
  expect(second).not.toBe(first);
  const message = 'x'.repeat(1024 * 1024);
  for (let at = 0; at < 16; at += 1) {
    const capture = testCapture({ name: `long-${at}`, recordings: [testRecording({ message })] });
    lines.of([{ type: 'ADDED', capture }], object, false);
  }
  expect(lines.of([event], object, false)).not.toBe(second);
});
