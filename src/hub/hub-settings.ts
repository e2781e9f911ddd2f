import * as v from 'valibot';
import {
  logLevelSetting,
  objectSetting,
  type ProgramSettings,
  readProgramSettings,
  type SettingDescriptions,
  type SettingsResult,
  wholeNumberSetting,
} from '../base/program-settings.ts';
import { listenerSettingDescriptions, listenerSettings } from '../observability/listener-settings.ts';

/** Everything that can be set on the hub. */
export type HubSettings = v.InferOutput<typeof hubSettingsSchema>;

/** What each setting allows, and how its text becomes its value. */
export const hubSettingsSchema = v.object({
  deployment: objectSetting(),
  daemonSet: objectSetting(),
  agentAccount: objectSetting(),
  apiPort: wholeNumberSetting(1, 65_535),
  linkPort: wholeNumberSetting(1, 65_535),
  ...listenerSettings,
  maxStreams: wholeNumberSetting(1, 1_000),
  maxStreamsPerUser: wholeNumberSetting(1, 1_000),
  logLevel: logLevelSetting(),
});

/** In the order of the documents. */
export const hubSettingDescriptions: SettingDescriptions<HubSettings> = {
  deployment: {
    flag: 'deployment',
    env: 'PODCAP_DEPLOYMENT',
    help: "the hub's own Deployment; its Service, Secret and ClusterRole have the same name, and its ConfigMap that name with -ca",
  },
  daemonSet: {
    flag: 'daemon-set',
    env: 'PODCAP_DAEMON_SET',
    help: 'the DaemonSet of the agents; the hub is ready when as many agents are connected as it has ready Pods, or after a minute',
  },
  agentAccount: {
    flag: 'agent-account',
    env: 'PODCAP_AGENT_ACCOUNT',
    help: 'the ServiceAccount of the agents, the only one that may connect',
  },
  apiPort: {
    flag: 'api-port',
    env: 'PODCAP_API_PORT',
    default: '10250',
    help: 'the port on which the API server reaches the hub',
  },
  linkPort: {
    flag: 'link-port',
    env: 'PODCAP_LINK_PORT',
    default: '10251',
    help: 'the port on which agents connect',
  },
  ...listenerSettingDescriptions,
  maxStreams: {
    flag: 'max-streams',
    env: 'PODCAP_MAX_STREAMS',
    default: '200',
    help: 'the most downloads and live captures that a replica serves at a time; each can take 0.5 MiB of memory',
  },
  maxStreamsPerUser: {
    flag: 'max-streams-per-user',
    env: 'PODCAP_MAX_STREAMS_PER_USER',
    default: '64',
    help: 'the most of them that one user has; the ServiceAccounts of a namespace share it',
  },
  logLevel: {
    flag: 'log-level',
    env: 'PODCAP_LOG_LEVEL',
    default: 'info',
    help: 'the lowest level that is logged: debug, info, warn or error',
  },
};

const hubProgram: ProgramSettings<HubSettings> = {
  schema: hubSettingsSchema,
  descriptions: hubSettingDescriptions,
  introduction: ['podcap hub: runs the hub, which serves the captures of all Nodes by the Kubernetes API'],
};

/** Reads the flags and variables of the hub. */
export function readHubSettings(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): SettingsResult<HubSettings> {
  return readProgramSettings(hubProgram, args, env);
}
