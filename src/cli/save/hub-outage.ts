/** Whether the hub as a whole cannot be reached, as all downloads of a command see it together. */
export type HubOutage = {
  /** The hub, or the API server, did not answer; performance.now(). */
  readonly refused: (nowMs: number) => void;
  /** The hub has answered, whatever it said. */
  readonly answered: () => void;
  /** For how long it has not answered; 0 if it answers. */
  readonly lastsMs: (nowMs: number) => number;
};

/** Before the first answer of the hub. */
export function hubOutage(): HubOutage {
  let sinceMs: number | undefined;
  return {
    refused(nowMs) {
      sinceMs ??= nowMs;
    },
    answered() {
      sinceMs = undefined;
    },
    lastsMs: (nowMs) => (sinceMs === undefined ? 0 : nowMs - sinceMs),
  };
}
