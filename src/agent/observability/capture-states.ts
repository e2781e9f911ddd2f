/** The states of a capture: the same words in metrics, in `podcap list` and in docs/metrics.md, which explains them. */
export const captureStates = {
  capturing: 'tcpdump runs, also while its interface is down',
  waiting: 'for the network of the Pod',
  refused: 'until the reason is gone; an Event of the Pod explains it',
  failed: 'and will be started again',
  ended: 'and its files are kept',
} as const;

export type CaptureState = keyof typeof captureStates;
