import type { Settings } from '../settings.ts';

/** What each test sets itself. */
type OwnSettings =
  | 'capturesFolder'
  | 'cniResultsFolder'
  | 'netnsFolder'
  | 'nativeFolder'
  | 'probePort'
  | 'metricsPort';

/** Settings as text, as in the environment of the agent's Pod, for an agent in a child process. */
export const settingsText = {
  nodeName: 'node1',
  agentName: 'podcap-1',
  daemonSet: '',
  maxFiles: '100',
  maxFileMegabytes: '100',
  maxCaptures: '250',
  diskBudgetMegabytes: '10000',
  bufferBudgetMegabytes: '1024',
  maxTaps: '16',
  minFreeDiskPercent: '0',
  retentionSeconds: '3600',
  maxFrozenRings: '3',
  podMetrics: 'false',
  bufferKib: '4096',
  captureUser: '10001',
  metricsTlsFolder: '',
  cniResyncSeconds: '5',
  logLevel: 'warn',
  hub: '',
  hubTokenFile: '/nowhere/token',
} satisfies Readonly<Record<Exclude<keyof Settings, OwnSettings>, string>>;
