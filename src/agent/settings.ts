import * as v from 'valibot';
import {
  absolutePathSetting,
  logLevelSetting,
  objectOrNoneSetting,
  type ProgramSettings,
  readProgramSettings,
  type SettingDescriptions,
  type SettingsResult,
  textSetting,
  wholeNumberOrNoneSetting,
  wholeNumberSetting,
} from '../base/program-settings.ts';
import { listenerSettingDescriptions, listenerSettings } from '../observability/listener-settings.ts';
import { mostLimits } from './planner/annotations.ts';
import { retentionSetting } from './retention-setting.ts';

/** Everything that can be set on the agent. */
export type Settings = v.InferOutput<typeof settingsSchema>;

/** What each setting allows, and how its text becomes its value. */
export const settingsSchema = v.object({
  nodeName: textSetting(),
  agentName: textSetting(),
  daemonSet: objectOrNoneSetting(),
  capturesFolder: absolutePathSetting(),
  cniResultsFolder: absolutePathSetting(),
  netnsFolder: absolutePathSetting(),
  nativeFolder: absolutePathSetting(),
  maxFiles: wholeNumberSetting(1, mostLimits.maxFiles),
  // 4 blocks of 256 KiB, each used for a second at most: at a low rate, a tcpdump that stalls for less than 4 s drops
  // nothing.
  bufferKib: wholeNumberOrNoneSetting(1_024, 1_048_576),
  captureUser: wholeNumberSetting(1, 65_533),
  maxFileMegabytes: wholeNumberSetting(1, mostLimits.maxFileMegabytes),
  maxCaptures: wholeNumberSetting(1, 10_000),
  diskBudgetMegabytes: wholeNumberSetting(3, 100_000_000),
  bufferBudgetMegabytes: wholeNumberSetting(3, 1_000_000),
  maxTaps: wholeNumberSetting(0, 1_000),
  minFreeDiskPercent: wholeNumberSetting(0, 90),
  retentionSeconds: wholeNumberSetting(0, 30 * 86_400),
  // The first one is always kept, and the newest one.
  maxFrozenRings: wholeNumberSetting(2, 100),
  podMetrics: v.pipe(
    v.picklist(['true', 'false'], 'true or false'),
    v.transform((given) => given === 'true'),
  ),
  ...listenerSettings,
  cniResyncSeconds: wholeNumberSetting(1, 3_600),
  hub: objectOrNoneSetting(),
  hubTokenFile: absolutePathSetting(),
  logLevel: logLevelSetting(),
});

/** In the order of the documents. */
export const settingDescriptions: SettingDescriptions<Settings> = {
  nodeName: { flag: 'node-name', env: 'NODE_NAME', help: 'the Node whose Pods are captured' },
  agentName: {
    flag: 'agent-name',
    env: 'POD_NAME',
    default: 'podcap',
    help: "the name of the agent's own Pod, written into records",
  },
  daemonSet: {
    flag: 'daemon-set',
    env: 'PODCAP_DAEMON_SET',
    default: '',
    help: "the agent's own DaemonSet; if it is deleted when the agent stops, the agent reports that on every captured Pod",
  },
  capturesFolder: {
    flag: 'captures-folder',
    env: 'PODCAP_CAPTURES_FOLDER',
    default: '/captures',
    help: 'the folder in which each captured Pod has a folder of capture files',
  },
  cniResultsFolder: {
    flag: 'cni-results-folder',
    env: 'PODCAP_CNI_RESULTS_FOLDER',
    default: '/var/lib/cni/results',
    help: "the Node's CNI cache, which names the network namespace of each Pod",
  },
  netnsFolder: {
    flag: 'netns-folder',
    env: 'PODCAP_NETNS_FOLDER',
    default: '/run/netns',
    help: "the folder of the Node's network namespaces",
  },
  nativeFolder: {
    flag: 'native-folder',
    env: 'PODCAP_NATIVE_FOLDER',
    default: '/usr/lib/podcap',
    help: 'the folder of podcap-spawner, which starts tcpdump, of podcap-preload.so and podcap-tap-preload.so, which are preloaded into it, and of podcap-interface-probe',
  },
  maxFiles: {
    flag: 'max-files',
    env: 'PODCAP_MAX_FILES',
    default: '100',
    help: 'the most capture files that a Pod may request',
  },
  maxFileMegabytes: {
    flag: 'max-file-megabytes',
    env: 'PODCAP_MAX_FILE_MEGABYTES',
    default: '100',
    help: 'the largest capture file that a Pod may request, in MB of 1,000,000 bytes',
  },
  maxCaptures: {
    flag: 'max-captures',
    env: 'PODCAP_MAX_CAPTURES',
    default: '250',
    help: 'the most captures that may run on this Node at a time, one for each interface of a Pod; more are refused until one ends',
  },
  diskBudgetMegabytes: {
    flag: 'disk-budget-megabytes',
    env: 'PODCAP_DISK_BUDGET_MEGABYTES',
    default: '10000',
    help: 'the most disk space that all captures of this Node may use, in MB',
  },
  bufferBudgetMegabytes: {
    flag: 'buffer-budget-megabytes',
    env: 'PODCAP_BUFFER_BUDGET_MEGABYTES',
    default: '1100',
    help: 'the most kernel memory that the receive rings of all captures of this Node may use, in MB; each capture reserves 2 MiB of it, or twice --buffer-kib',
  },
  maxTaps: {
    flag: 'max-taps',
    env: 'PODCAP_MAX_TAPS',
    default: '16',
    help: 'the most live captures of Pods of this Node that are watched through the hub at a time; with a hub, each reserves 8 MiB of --buffer-budget-megabytes, a quarter of which is for them at most',
  },
  minFreeDiskPercent: {
    flag: 'min-free-disk-percent',
    env: 'PODCAP_MIN_FREE_DISK_PERCENT',
    default: '20',
    help: "the part of the captures' disk that captures must leave available, in percent of its capacity",
  },
  retentionSeconds: retentionSetting,
  maxFrozenRings: {
    flag: 'max-frozen-rings',
    env: 'PODCAP_MAX_FROZEN_RINGS',
    default: '3',
    help: 'the most frozen rings that are kept of one Pod: the first and the newest ones',
  },
  podMetrics: {
    flag: 'pod-metrics',
    env: 'PODCAP_POD_METRICS',
    default: 'false',
    help: 'whether to add metrics for each Pod, with the names of namespaces and Pods',
  },
  bufferKib: {
    flag: 'buffer-kib',
    env: 'PODCAP_BUFFER_KIB',
    default: '',
    help: "a fixed size of each capture's receive ring in the kernel, in KiB; if it is not set, each ring has 1 to 32 MiB, as its traffic requires",
  },
  captureUser: {
    flag: 'capture-user',
    env: 'PODCAP_CAPTURE_USER',
    default: '10001',
    help: 'the user ID and group ID that tcpdump runs with',
  },
  ...listenerSettingDescriptions,
  cniResyncSeconds: {
    flag: 'cni-resync-seconds',
    env: 'PODCAP_CNI_RESYNC_SECONDS',
    default: '5',
    help: 'how often the whole CNI cache is read again, in seconds, in case inotify missed a change',
  },
  hub: {
    flag: 'hub',
    env: 'PODCAP_HUB',
    default: '',
    help: 'the headless Service of the hub that the agent connects to; if it is not set, to none',
  },
  hubTokenFile: {
    flag: 'hub-token-file',
    env: 'PODCAP_HUB_TOKEN_FILE',
    default: '/var/run/secrets/podcap-hub/token',
    help: 'the file of the token by which the hub knows the agent',
  },
  logLevel: {
    flag: 'log-level',
    env: 'PODCAP_LOG_LEVEL',
    default: 'info',
    help: 'the lowest level that is logged: debug, info, warn or error',
  },
};

const program: ProgramSettings<Settings> = {
  schema: settingsSchema,
  descriptions: settingDescriptions,
  introduction: [
    'podcap: runs the agent, which captures the annotated Pods of one Node',
    'podcap hub: runs the hub, which serves the captures of all Nodes by the Kubernetes API (podcap hub --help)',
    'podcap list: lists the captures of this Node (podcap list --help)',
    'podcap read <namespace>/<pod>: writes the captured packets of a Pod (podcap read --help)',
    'podcap merge <file>...: merges capture files in the order of time (podcap merge --help)',
    'podcap show <file>: prints the packets of a capture file as lines (podcap show --help)',
  ],
};

/** Reads the flags and variables of the agent. */
export function readSettings(args: readonly string[], env: NodeJS.ProcessEnv): SettingsResult<Settings> {
  return readProgramSettings(program, args, env);
}
