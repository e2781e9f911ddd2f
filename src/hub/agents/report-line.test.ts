import { expect, test } from 'vitest';
import { parseLabelSelector, selectsLabels } from '../../kubernetes/label-selector.ts';
import { deletedLine, recordingLine } from '../testing/reporting-agent.ts';
import { parseReportLine } from './report-line.ts';

const parse = (line: object) => parseReportLine(JSON.stringify(line));

test('a report is read as it is', () => {
  const line = recordingLine({
    namespace: 'kube-system',
    name: 'web-0.example',
    uid: '0f8fad5b-d9cb-469f-a165-70867728950e',
    labels: { 'app.kubernetes.io/name': 'web', empty: '' },
    status: { message: 'no space left: 0 of 3 files fit' },
  });
  expect(parse(line)).toEqual(line);
  expect(parse({ kind: 'synced' })).toEqual({ kind: 'synced' });
});

test('what a newer agent says beside it is left out', () => {
  const line = recordingLine();
  expect(parse({ ...line, later: true, recording: { ...line.recording, later: true } })).toEqual(line);
});

test.each([
  ['an escape sequence', '\u001b[31mred\u001b[0m', '[31mred[0m'],
  ['a change of direction', 'a\u202eb', 'ab'],
  ['half a surrogate pair', 'a\ud800b', 'ab'],
  ['a line separator', 'a\u2028b', 'ab'],
  ['a new line', 'a\r\nb\tc', 'a b c'],
  ['a backslash', 'a\\u001bb', 'a\\u001bb'],
  ['other letters', 'naïve 名前', 'naïve 名前'],
])('%s in a message', (_what, message, shown) => {
  expect(parse(recordingLine({ status: { message } }))).toEqual(
    recordingLine({ status: { message: shown } }),
  );
});

test.each([
  ['a namespace with a slash', recordingLine({ namespace: 'a/b' })],
  ['a namespace in upper case', recordingLine({ namespace: 'Shop' })],
  ['no namespace', recordingLine({ namespace: '' })],
  ['a name with dots only', recordingLine({ name: '..' })],
  ['a name with a space', recordingLine({ name: 'a b' })],
  ['a UID with a line', recordingLine({ uid: 'a\nb' })],
  ['a UID that is empty', recordingLine({ uid: '' })],
  ['a label that is none', recordingLine({ labels: { 'a b': 'c' } })],
  ['a key of a label that is too long', recordingLine({ labels: { ['a'.repeat(318)]: 'b' } })],
  ['a value of a label that is too long', recordingLine({ labels: { a: 'b'.repeat(64) } })],
  [
    'a label without a value',
    JSON.parse(JSON.stringify(recordingLine({ labels: { a: 'b' } })).replace('"b"', 'null')),
  ],
  ['a value of a label that is none', recordingLine({ labels: { a: '/' } })],
  ['a negative number', recordingLine({ status: { files: -1 } })],
  ['a number that is too large', recordingLine({ status: { bytes: 2 ** 60 } })],
  ['a message that is too long', recordingLine({ status: { message: 'x'.repeat(5_000) } })],
  ['a time that is none', recordingLine({ status: { startTime: 'yesterday' } })],
  ['another time that is none', recordingLine({ status: { podCreationTime: 'yesterday' } })],
  ['a deletion without a valid name', deletedLine({ name: '' })],
  ['no kind', {}],
])('a report with %s is none', (_what, line) => {
  expect(parse(line)).toBeUndefined();
});

test.each([
  ['not JSON', '{'],
  ['null', 'null'],
  ['a deep nest', '['.repeat(60_000)],
])('%s is none', (_what, line) => {
  expect(parseReportLine(line)).toBeUndefined();
});

test('a report with a phase that is none is none', () => {
  expect(parseReportLine(JSON.stringify(recordingLine()).replace('Capturing', 'Unheard'))).toBeUndefined();
});

test('what claims to be the prototype of an object changes none', () => {
  const line = JSON.stringify(recordingLine()).replace('{', '{"__proto__":{"polluted":true},');
  expect(parseReportLine(line)).toEqual(recordingLine());
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
});

test('a label with a name of JavaScript is one like any other, and can be selected', () => {
  const labels = { constructor: 'x', prototype: 'y', toString: 'z' };
  const report = parse(recordingLine({ labels }));
  const parsed = report?.kind === 'recording' ? report.recording.labels : undefined;
  expect(Object.entries(parsed ?? {})).toEqual(Object.entries(labels));
  const selects = (text: string) => {
    const selector = parseLabelSelector(text);
    return !('kind' in selector) && selectsLabels(selector, parsed);
  };
  const all = ['constructor=x', 'prototype,toString=z', '!valueOf'];
  expect(all.filter((text) => !selects(text))).toEqual([]);
  expect(selects('hasOwnProperty')).toBe(false);
});
