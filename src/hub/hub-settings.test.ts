import { expect, test } from 'vitest';
import { readHubSettings } from './hub-settings.ts';

const env = {
  PODCAP_DEPLOYMENT: 'kube-system/podcap-hub',
  PODCAP_DAEMON_SET: 'kube-system/podcap',
  PODCAP_AGENT_ACCOUNT: 'kube-system/podcap',
};

test('the hub needs to know its Deployment, the agents and their account, and has defaults for the rest', () => {
  expect(readHubSettings([], env)).toMatchObject({
    settings: {
      deployment: { namespace: 'kube-system', name: 'podcap-hub' },
      apiPort: 10_250,
      linkPort: 10_251,
      metricsTlsFolder: undefined,
    },
  });
});

test.each(Object.keys(env))('%s is required', (missing) => {
  expect(readHubSettings([], { ...env, [missing]: '' })).toMatchObject({
    kind: 'invalid',
    message: expect.stringContaining(`(${missing}) is required`),
  });
});

test('an object without its namespace is refused', () => {
  expect(readHubSettings(['--deployment=podcap-hub'], env)).toMatchObject({
    kind: 'invalid',
    message:
      '--deployment (PODCAP_DEPLOYMENT) must be a namespace and a name, such as kube-system/podcap, not "podcap-hub"',
  });
});
