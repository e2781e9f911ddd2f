import { pathOrNoneSetting, type SettingDescription, wholeNumberSetting } from '../base/program-settings.ts';
import type { ListenerPorts } from './listeners.ts';

/** What the settings of listeners.ts allow, in every program that has them. */
export const listenerSettings = {
  probePort: wholeNumberSetting(1, 65_535),
  metricsPort: wholeNumberSetting(1, 65_535),
  metricsTlsFolder: pathOrNoneSetting(),
};

/** In the order of the documents. */
export const listenerSettingDescriptions: Readonly<Record<keyof ListenerPorts, SettingDescription>> = {
  probePort: {
    flag: 'probe-port',
    env: 'PODCAP_PROBE_PORT',
    default: '9780',
    help: 'the port of /healthz and /readyz, for the kubelet',
  },
  metricsPort: {
    flag: 'metrics-port',
    env: 'PODCAP_METRICS_PORT',
    default: '9781',
    help: 'the port of /metrics',
  },
  metricsTlsFolder: {
    flag: 'metrics-tls-folder',
    env: 'PODCAP_METRICS_TLS_FOLDER',
    default: '',
    help: 'the folder of tls.crt, tls.key and ca.crt; if it is set, /metrics is served over TLS, to clients with a certificate',
  },
};
