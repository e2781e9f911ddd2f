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
  const byUser = new Map<string, number>();
  let open = 0;

  function change(user: string, by: 1 | -1): void {
    open += by;
    const count = (byUser.get(user) ?? 0) + by;
    if (count === 0) byUser.delete(user);
    else byUser.set(user, count);
  }

  return {
    open(user) {
      if (open >= bounds.perHub) return { kind: 'refused', bound: 'perHub' };
      if ((byUser.get(user) ?? 0) >= bounds.perUser) return { kind: 'refused', bound: 'perUser' };
      change(user, 1);
      let isOpen = true;
      return {
        kind: 'opened',
        [Symbol.dispose]() {
          if (isOpen) change(user, -1);
          isOpen = false;
        },
      };
    },
  };
}
