import { countsByUser } from '../../base/counts-by-user.ts';

/** How many streams may be open at the same time. */
export type StreamBounds = { readonly perHub: number; readonly perUser: number };

export type StreamLimits = {
  /** Counts a stream until it is disposed of; or says which bound it would exceed. */
  readonly open: (
    user: string,
  ) => StreamPlace | { readonly kind: 'refused'; readonly bound: keyof StreamBounds };
};

export type StreamPlace = Disposable & { readonly kind: 'opened' };

/** Counts the open streams of this replica. */
export function streamLimits(bounds: StreamBounds): StreamLimits {
  const counts = countsByUser();
  return {
    open(user) {
      if (counts.all() >= bounds.perHub) return { kind: 'refused', bound: 'perHub' };
      if (counts.of(user) >= bounds.perUser) return { kind: 'refused', bound: 'perUser' };
      return { kind: 'opened', ...counts.enter(user) };
    },
  };
}
