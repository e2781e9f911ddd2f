import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import type { Capture } from '../../api/capture.ts';
import { until } from '../../base/until.ts';
import { testCapture, testRecording } from '../../hub/api/testing/memory-captures.ts';
import { sendObject } from '../kubectl/testing/kubectl-scene.ts';
import { listCommand } from './list-command.ts';
import { type CapturesSceneOptions, capturesScene } from './testing/captures-scene.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

const web = testCapture({ name: 'web', recordings: [testRecording({ bytes: 9_000 })] });
const db = testCapture({ name: 'db', recordings: [testRecording({ packets: 5 })] });
const refused = testCapture({
  name: 'cache',
  namespace: 'other',
  recordings: [testRecording({ phase: 'Refused', reason: 'InvalidRequest' })],
});

async function listed(args: readonly string[], captures: readonly Capture[], options?: CapturesSceneOptions) {
  await using scene = await capturesScene(captures, options);
  const ran = scene.run(listCommand, args);
  const code = await ran.code;
  return {
    code,
    lines: ran.stdout().split('\n').slice(0, -1),
    stderr: ran.stderr(),
    paths: scene.requests.map(({ path }) => path),
  };
}

const captures = '/apis/podcap.dev/v1alpha1/namespaces/shop/captures';

test('the captures of the namespace of the context, by name, with one request', async () => {
  const { code, lines, stderr, paths } = await listed([], [web, db, refused]);
  expect(code).toBe(0);
  expect(stderr).toBe('');
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['NAME', 'db', 'web']);
  expect(paths).toEqual([captures]);
});

test('those of all namespaces that a selector selects, sorted', async () => {
  const { code, lines, paths } = await listed(
    ['-A', '-l', 'app in (a,b)', '--sort-by', 'size'],
    [db, web, refused],
  );
  expect(code).toBe(0);
  expect(lines.map((line) => line.replace(/^(\S+ +\S+).*/, '$1'))).toEqual([
    'NAMESPACE   NAME',
    'shop        web',
    'other       cache',
    'shop        db',
  ]);
  expect(paths).toEqual(['/apis/podcap.dev/v1alpha1/captures?labelSelector=app%20in%20(a%2Cb)']);
});

test.each([
  ['name', ['capture.podcap.dev/db', 'capture.podcap.dev/web']],
  ['yaml', ['apiVersion: v1', 'kind: List', 'metadata: {}', 'items:', '- apiVersion: podcap.dev/v1alpha1']],
  ['json', ['{', '  "apiVersion": "v1",', '  "kind": "List",']],
])('-o %s', async (format, first) => {
  const { code, lines } = await listed(['-o', format], [web, db]);
  expect(code).toBe(0);
  expect(lines.slice(0, first.length)).toEqual(first);
});

test('-o json of one Pod is its object, with what this program does not know', async () => {
  const newer = { ...web, spec: { new: 1 } };
  const { lines, paths } = await listed(['pod/web', '-ojson'], [newer, db]);
  expect(JSON.parse(lines.join('\n'))).toEqual(newer);
  expect(paths).toEqual([`${captures}/web`]);
});

test('a Pod without a capture is an error that says how to start one', async () => {
  const one = await listed(['nginx'], [web]);
  expect([one.code, one.lines]).toEqual([1, []]);
  expect(one.stderr).toBe(
    'podcap: nothing is recorded of Pod nginx in namespace shop\n  kubectl podcap start nginx starts a capture\n',
  );
  const some = await listed(['-n', 'other', 'nginx', 'cache', 'x'], [refused]);
  expect(some.code).toBe(3);
  expect(some.lines).toHaveLength(2);
  expect(some.stderr).toContain('kubectl podcap start nginx x -n other starts a capture');
});

test.each([
  [[], /in namespace shop\n {2}kubectl podcap start POD starts a capture\n {2}kubectl podcap list -A shows/],
  [['-n', 'a'], /in namespace a\n {2}kubectl podcap start POD -n a starts a capture\n/],
  [
    ['-A'],
    /^podcap: nothing is recorded in any namespace\n {2}kubectl podcap start POD -n NAMESPACE starts a capture\n$/,
  ],
  [
    ['-l', 'a=b, c'],
    /in namespace shop that a=b, c selects\n {2}kubectl podcap start -l 'a=b, c' starts a capture of/,
  ],
])('nothing recorded: %j', async (args, message) => {
  const { code, lines, stderr } = await listed(args, []);
  expect([code, lines]).toEqual([0, []]);
  expect(stderr).toMatch(message);
});

test.each([[[]], [['web']]])('a namespace that does not exist is an error: %j', async (args) => {
  const { code, stderr } = await listed(args, [], {
    handler({ path }, response) {
      if (path !== '/api/v1/namespaces/shop') return false;
      const message = 'namespaces "shop" not found';
      sendObject(response, { kind: 'Status', reason: 'NotFound', code: 404, message }, 404);
      return true;
    },
  });
  expect([code, stderr]).toEqual([1, 'podcap: namespace shop does not exist\n']);
});

test('an empty list is a list for programs', async () => {
  const { code, lines, stderr } = await listed(['-o', 'json'], []);
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(lines.join('\n'))).toMatchObject({ kind: 'List', items: [] });
});

test('a list that may lack captures says so, also by its exit code', async () => {
  const warnings = ['podcap: the list may lack captures: no answer from the agent of Node node-b'];
  const { code, lines, stderr } = await listed([], [web], { warnings });
  expect([code, lines.length]).toEqual([3, 2]);
  expect(stderr).toBe(
    'podcap: warning: the list may lack captures: no answer from the agent of Node node-b\n',
  );
});

test('what the API server refuses is in its words', async () => {
  const { code, stderr } = await listed([], [web], {
    handler(_, response) {
      const message = 'captures.podcap.dev is forbidden: User "jane" cannot list resource "captures"';
      sendObject(response, { kind: 'Status', reason: 'Forbidden', code: 403, message }, 403);
      return true;
    },
  });
  expect(code).toBe(1);
  expect(stderr).toBe(
    'podcap: captures.podcap.dev is forbidden: User "jane" cannot list resource "captures"\n',
  );
});

test.each([
  [['-A', 'web'], 'a Pod has a namespace'],
  [['deploy/web'], 'list takes the names of Pods'],
  [['web', '-l', 'a=b'], 'not both'],
  [['--sort-by', 'siez'], '--sort-by takes a column'],
  [['--sort-by', '.status.nothing'], 'none of the captures has .status.nothing'],
  [['-o', 'xml'], '--output must be wide, json, yaml or name'],
])('wrong usage: %j', async (args, message) => {
  const { code, stderr } = await listed(args, [web]);
  expect(code).toBe(2);
  expect(stderr).toContain(message);
});

test('a terminal gets colours, and hints where something is missing', async () => {
  await using scene = await capturesScene([
    { ...refused, metadata: { ...refused.metadata, namespace: 'shop' } },
  ]);
  const coloured = scene.run(listCommand, [], { isTTY: true, columns: 60 });
  expect(await coloured.code).toBe(0);
  expect(coloured.stdout()).toContain('\u001b[31mRefused:InvalidRequest\u001b[39m');
  expect(coloured.stderr()).toContain('podcap: 7 columns do not fit: see -o wide\n');
  expect(coloured.stderr()).toContain('1 capture was refused or has failed: kubectl podcap check says why');
  const plain = scene.run(listCommand, ['-o', 'wide'], { isTTY: true, columns: 60, env: { NO_COLOR: '1' } });
  expect(await plain.code).toBe(0);
  expect(plain.stdout()).not.toContain('\u001b');
  expect(plain.stdout()).toMatch(/^NAME .* UID\n/);
});

test('a watch prints the row of each capture that changes, until it is ended', async () => {
  await using scene = await capturesScene([web, db]);
  const ending = new AbortController();
  const ran = scene.run(listCommand, ['-w'], { signal: ending.signal });
  await until(() => scene.watches() > 0, { what: 'a watch', deadlineMs: 20_000 });
  // Known already, but for its version, which each replica of the hub has its own of.
  scene.change('MODIFIED', { ...web, metadata: { ...web.metadata, resourceVersion: '101' } });
  scene.change(
    'MODIFIED',
    testCapture({ name: 'db', version: '102', recordings: [testRecording({ phase: 'Paused' })] }),
  );
  scene.change('ADDED', testCapture({ name: 'new', version: '103' }));
  scene.change('DELETED', { ...web, metadata: { ...web.metadata, resourceVersion: '104' } });
  await until(() => ran.stdout().includes('Gone'), { what: 'the last row', deadlineMs: 20_000 });
  ending.abort(new DOMException('Ctrl-C', 'AbortError'));
  expect(await ran.code).toBe(0);
  const rows = ran.stdout().trimEnd().split('\n');
  expect(rows.map((row) => row.split(/ +/).slice(0, 3).join(' '))).toEqual([
    'NAME NODE STATE',
    'db node-a Capturing',
    'web node-a Capturing',
    'db node-a Paused',
    'new node-a Capturing',
    'web node-a Gone',
  ]);
});

test('a watch of one Pod asks for that one alone, and prints documents', async () => {
  await using scene = await capturesScene([web]);
  const ending = new AbortController();
  const ran = scene.run(listCommand, ['web', '-w', '-o', 'yaml'], { signal: ending.signal });
  await until(() => scene.watches() > 0, { what: 'a watch', deadlineMs: 20_000 });
  scene.change('MODIFIED', testCapture({ name: 'web', version: '101' }));
  await until(() => ran.stdout().includes('---\n'), { what: 'a second document', deadlineMs: 20_000 });
  ending.abort(new DOMException('Ctrl-C', 'AbortError'));
  expect(await ran.code).toBe(0);
  expect(ran.stdout().match(/^kind: Capture$/gm)).toHaveLength(2);
  expect(scene.requests.filter(({ path }) => path.includes('fieldSelector=metadata.name%3Dweb'))).not.toEqual(
    [],
  );
});
