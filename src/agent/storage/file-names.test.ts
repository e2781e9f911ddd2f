import { expect, test } from 'vitest';
import {
  folderName,
  parseFolderName,
  parseRecordName,
  parseRingFile,
  recordName,
  ringFileBase,
} from './file-names.ts';

const uid = '0d4f5a5e-4a4c-4d57-9c4c-1d8b6f0f8f10';
const longest = { namespace: 'n'.repeat(63), pod: 'p'.repeat(253), uid };

test('a folder is named after namespace, Pod and UID, and its name can be parsed again', () => {
  const pod = { namespace: 'default', pod: 'web-2.example', uid };
  expect(folderName(pod)).toBe(`default_web-2.example_${uid}`);
  expect(parseFolderName(folderName(pod))).toEqual(pod);
});

test('no name is longer than 255 bytes, even with the longest names that Kubernetes allows', () => {
  expect(Buffer.byteLength(folderName(longest))).toBe(255);
  expect(Buffer.byteLength(`${ringFileBase(longest.pod, 999_999_999)}999999999`)).toBeLessThanOrEqual(255);
});

test('long Pod names that differ only at their end are distinguished by UID', () => {
  const other = uid.replace('0d', '0e');
  expect(folderName(longest)).not.toBe(folderName({ ...longest, uid: other }));
  expect(parseFolderName(folderName({ ...longest, uid: other }))?.uid).toBe(other);
});

test('names that are prefixes of each other, or equal in different namespaces, get different folders', () => {
  const pods = ['a', 'a-b'].flatMap((namespace) =>
    ['web', 'web-1', 'web-1.b', 'b-web'].map((pod) => ({ namespace, pod, uid: '1' })),
  );
  const names = pods.map(folderName);
  expect(new Set(names).size).toBe(pods.length);
  expect(names.map(parseFolderName)).toEqual(pods);
});

test.each([
  'lost+found',
  '.hidden',
  'a_b',
  `a_b_${uid}_c`,
  `_web_${uid}`,
  `default__${uid}`,
  'Default_web_1',
])('%j is not the name of a capture folder', (name) => {
  expect(parseFolderName(name)).toBeUndefined();
});

test("a capture file's name gives its generation and index", () => {
  const name = `${ringFileBase('web.1.pcap7', 12)}003`;
  expect(parseRingFile(name)).toEqual({ name, generation: 12, index: 3 });
});

test.each([
  'captres-web.1.pcap',
  'captres-web.pcap1',
  'captres-web.1.pcap1x',
  'other-web.1.pcap1',
  'capture.1.json',
])('%j is not the name of a capture file', (name) => {
  expect(parseRingFile(name)).toBeUndefined();
});

test("a record's name gives its generation", () => {
  expect(parseRecordName(recordName(7))).toBe(7);
  expect(parseRecordName('capture.x.json')).toBeUndefined();
  expect(parseRecordName('capture.1.json.tmp')).toBeUndefined();
});
