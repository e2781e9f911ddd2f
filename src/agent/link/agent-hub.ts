import type { KubernetesClient } from '../../kubernetes/client.ts';
import { linkPaths } from '../../link/protocol.ts';
import { type HubLinks, type HubLinksOptions, type LinkCounts, noLinks, startHubLinks } from './hub-links.ts';
import type { HubService } from './hub-service.ts';
import type { LinkRoute } from './link-session.ts';
import { type CountedRecordingsOptions, countedRecordings } from './recording-counters.ts';
import { openRecordingReports, type RecordingReportsOptions } from './recording-reports.ts';

/** What the agent does for a hub; without one, nothing. */
export type AgentHub = AsyncDisposable & {
  /** The state of a capture may have changed. */
  readonly changed: () => void;
  readonly counts: () => LinkCounts;
  /** Its replicas. */
  readonly hubs: HubLinks['hubs'];
};

export type AgentHubOptions = Omit<RecordingReportsOptions, 'counters' | 'countAnew'> &
  CountedRecordingsOptions &
  Pick<HubLinksOptions, 'version' | 'tokenFile'> & {
    /** Undefined: there is none. */
    readonly hub: HubService | undefined;
    readonly client: KubernetesClient;
    /** Who answers requests for the bytes of recordings, and for live captures. */
    readonly serving: Readonly<Partial<Record<'recording' | 'tap', LinkRoute>>>;
  };

/** Connects to the hub until it is disposed of. */
export function openAgentHub(options: AgentHubOptions): AgentHub {
  const { hub, serving } = options;
  if (!hub) return noHub;
  const counted = countedRecordings(options);
  const reports = openRecordingReports({
    ...options,
    counters: counted.latest,
    countAnew: counted.countAnew,
  });
  const routes = new Map<string, LinkRoute>([
    [linkPaths.reports, { methods: ['GET'], handle: reports.handle }],
    [linkPaths.counters, { methods: ['GET'], handle: counted.handle }],
    ...(serving.recording ? [[linkPaths.recording, serving.recording] as const] : []),
    ...(serving.tap ? [[linkPaths.tap, serving.tap] as const] : []),
  ]);
  const links = startHubLinks({ ...options, hub, routes });
  return {
    changed: reports.changed,
    counts: links.counts,
    hubs: links.hubs,
    async [Symbol.asyncDispose]() {
      await links[Symbol.asyncDispose]();
      await reports[Symbol.asyncDispose]();
    },
  };
}

const noHub: AgentHub = {
  changed() {},
  counts: () => noLinks,
  hubs: () => [],
  async [Symbol.asyncDispose]() {},
};
