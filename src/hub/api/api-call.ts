import type { Access, Caller } from '../access/access.ts';
import type { Namespaces } from '../access/namespaces.ts';
import type { Captures } from '../captures/captures.ts';
import type { Exchange } from './api-response.ts';
import type { QueryParameters } from './query-parameters.ts';

/** What the answers are made of. */
export type ApiSources = {
  readonly captures: Captures;
  readonly access: Access;
  readonly namespaces: Namespaces;
};

/** A request of a caller who is identified, but not yet authorized. */
export type ApiCall = Exchange & {
  readonly caller: Caller;
  readonly query: QueryParameters;
  /** Cuts the answer at once: what of it the client has not read yet is lost, and it sees no end. */
  readonly cut: () => void;
};
