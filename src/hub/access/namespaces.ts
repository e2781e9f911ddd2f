import type { Capture } from '../../api/capture.ts';

/**
 * Which captures may be served: only what is younger than its namespace, so that a namespace that was deleted and created
 * again inherits nothing.
 */
export type Namespaces = {
  /**
   * Leaves out recordings that began before their namespace was created, or whose namespace is gone, and a capture with
   * no recording left. A capture of which nothing is left out is the same object as before, so that what is kept about it
   * stays valid. Throws nothing: captures of a namespace that could not be checked stay, and it is named.
   */
  readonly visible: (captures: readonly Capture[], signal: AbortSignal) => Promise<VisibleCaptures>;
};

export type VisibleCaptures = {
  /** In the same order. */
  readonly captures: readonly Capture[];
  /** The namespaces that could not be checked. */
  readonly unchecked: readonly string[];
};
