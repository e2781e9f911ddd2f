/** The kubectl that is the transport, and what was given for it. */
export type Kubectl = {
  /** A name that is looked up in PATH, or a path. */
  readonly program: string;
  /** The global flags that are passed on as they are: --context, --as, ... without the namespace. */
  readonly flags: readonly string[];
  /** As given with -n; undefined: that of the context, which takes one more call of kubectl. */
  readonly namespace: string | undefined;
  readonly env: NodeJS.ProcessEnv;
};
