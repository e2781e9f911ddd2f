import { expect, test } from 'vitest';
import { readSettings, settingDescriptions } from './settings.ts';

const node = { NODE_NAME: 'node1' };

test('a flag overrides the environment, which overrides the default', () => {
  expect(readSettings([], node)).toMatchObject({
    settings: { nodeName: 'node1', maxFiles: 100, probePort: 9780 },
  });
  const env = { ...node, PODCAP_MAX_FILES: '7', PODCAP_PROBE_PORT: '' };
  expect(readSettings([], env)).toMatchObject({ settings: { maxFiles: 7, probePort: 9780 } });
  expect(readSettings(['--max-files=8', '--probe-port', '99'], env)).toMatchObject({
    settings: { maxFiles: 8, probePort: 99 },
  });
});

test.each([
  ['--max-files=0', '--max-files (PODCAP_MAX_FILES) must be a whole number from 1 to 10000, not "0"'],
  ['--max-files=5x', 'must be a whole number from 1 to 10000, not "5x"'],
  ['--captures-folder=captures', 'must be an absolute path, not "captures"'],
  ['--metrics-tls-folder=certs', 'must be an absolute path, not "certs"'],
  ['--daemon-set=podcap', 'must be a namespace and a name, such as kube-system/podcap, not "podcap"'],
  ['--daemon-set=a/b/c', 'must be a namespace and a name'],
  ['--daemon-set=a/..', 'must be a namespace and a name'],
  ['--log-level=loud', 'must be debug, info, warn or error, not "loud"'],
  ['--colour=red', "Unknown option '--colour'"],
  ['--probe-port', "'--probe-port"],
])('%s is refused with a message that names it', (flag, message) => {
  expect(readSettings([flag], node)).toMatchObject({
    kind: 'invalid',
    message: expect.stringContaining(message),
  });
});

test('metrics are served without TLS unless a folder of certificates is set', () => {
  expect(readSettings([], node)).toMatchObject({ settings: { metricsTlsFolder: undefined } });
  expect(readSettings(['--metrics-tls-folder=/certs'], node)).toMatchObject({
    settings: { metricsTlsFolder: '/certs' },
  });
});

test('receive rings grow and shrink unless their size is fixed', () => {
  expect(readSettings([], node)).toMatchObject({ settings: { bufferKib: undefined } });
  expect(readSettings(['--buffer-kib=16384'], node)).toMatchObject({ settings: { bufferKib: 16_384 } });
  expect(readSettings(['--buffer-kib=1023'], node)).toMatchObject({
    kind: 'invalid',
    message: '--buffer-kib (PODCAP_BUFFER_KIB) must be a whole number from 1024 to 1048576, not "1023"',
  });
});

test('the DaemonSet is named by its namespace and its name', () => {
  expect(readSettings([], node)).toMatchObject({ settings: { daemonSet: undefined } });
  expect(readSettings(['--daemon-set=kube-system/podcap'], node)).toMatchObject({
    settings: { daemonSet: { namespace: 'kube-system', name: 'podcap' } },
  });
});

test('a missing setting without a default is named with its flag and its variable', () => {
  expect(readSettings([], {})).toMatchObject({
    kind: 'invalid',
    message: '--node-name (NODE_NAME) is required: the Node whose Pods are captured',
  });
});

test('--help names every flag and every variable', () => {
  const result = readSettings(['--help'], {});
  expect(result.kind).toBe('help');
  if (result.kind !== 'help') return;
  for (const { flag, env } of Object.values(settingDescriptions)) {
    expect(result.text).toContain(`--${flag}`);
    expect(result.text).toContain(env);
  }
});
