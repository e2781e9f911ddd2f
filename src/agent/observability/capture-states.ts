/** The states of a capture: the same words in metrics, in `podcap list` and in docs/metrics.md, which has this list. */
export const captureStates = [
  { state: 'capturing', meaning: 'tcpdump runs, also while its interface is down' },
  { state: 'waiting', meaning: 'for the network of the Pod' },
  { state: 'refused', meaning: 'until the reason is gone; an Event of the Pod explains it' },
  { state: 'failed', meaning: 'and will be started again' },
  { state: 'ended', meaning: 'and its files are kept' },
] as const;

export type CaptureState = (typeof captureStates)[number]['state'];
