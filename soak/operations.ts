/** What happens to the cluster: users change a Pod or the policy, or something fails. */
export type Operation = PodChange | PolicyChange | Fault;

/** What users do to a Pod. */
export type PodChange =
  /** A Pod that sends numbered datagrams; without `files` it has no annotation that asks for a capture. */
  | {
      readonly kind: 'create';
      readonly pod: string;
      readonly node: string;
      readonly label: Label;
      readonly files?: number;
      /** A container that ends freezes its ring. */
      readonly freezesOnRestart: boolean;
    }
  | { readonly kind: 'delete'; readonly pod: string; readonly force: boolean }
  | { readonly kind: 'annotate'; readonly pod: string; readonly files: number }
  | { readonly kind: 'unannotate'; readonly pod: string }
  /** The annotation is removed and set again as fast as the API server allows; it is set in the end. */
  | { readonly kind: 'flap'; readonly pod: string; readonly times: number; readonly files: number }
  /** Whether the policy selects the Pod can change with it. */
  | { readonly kind: 'label'; readonly pod: string; readonly label: Label }
  /** The ring is frozen now. No text is used twice. */
  | { readonly kind: 'freeze'; readonly pod: string; readonly text: string }
  | { readonly kind: 'pause'; readonly pod: string }
  | { readonly kind: 'resume'; readonly pod: string }
  /** eth0 alone, or lo as well. */
  | { readonly kind: 'interfaces'; readonly pod: string; readonly withLo: boolean }
  /** A new tcpdump takes over. */
  | { readonly kind: 'snaplen'; readonly pod: string; readonly bytes: number }
  /** A new tcpdump takes over. Every filter matches what the Pod sends. */
  | { readonly kind: 'filter'; readonly pod: string; readonly filter: string }
  /** A filter that is refused, for that long, and then another one. */
  | {
      readonly kind: 'hostileFilter';
      readonly pod: string;
      readonly filter: string;
      readonly ms: number;
      readonly after: string;
    };

/** What users do to the one CapturePolicy of the namespace. */
export type PolicyChange =
  /** Creates or changes it: it selects the Pods with that label. */
  | {
      readonly kind: 'applyPolicy';
      readonly files: number;
      readonly isPaused: boolean;
      readonly label: Label;
    }
  | { readonly kind: 'deletePolicy' };

/** The values of the label `app`. */
export const labels = ['red', 'blue'] as const;
export type Label = (typeof labels)[number];

/** What fails, and for how long. */
export type Fault =
  | { readonly kind: 'killTcpdump'; readonly pod: string }
  | { readonly kind: 'pauseTcpdump'; readonly pod: string; readonly ms: number }
  /** tcpdump's user leaves pipes, links and false names in the Pod's folder. */
  | { readonly kind: 'hostileFiles'; readonly pod: string }
  | { readonly kind: 'killContainer'; readonly pod: string }
  | { readonly kind: 'killAgent'; readonly node: string }
  | { readonly kind: 'killSpawner'; readonly node: string }
  | { readonly kind: 'pauseSpawner'; readonly node: string; readonly ms: number }
  | { readonly kind: 'pauseAgent'; readonly node: string; readonly ms: number }
  | { readonly kind: 'deleteAgent'; readonly node: string }
  | { readonly kind: 'rollAgents' }
  | { readonly kind: 'killContainerd'; readonly node: string }
  /** Packets between the Node's Pods, its agent among them, and the API server are silently dropped. */
  | { readonly kind: 'cutOff'; readonly node: string; readonly ms: number }
  | { readonly kind: 'cutPower'; readonly node: string }
  /** Another program fills the disk of both Nodes, so that less is available than captures leave free. */
  | { readonly kind: 'fillDisk'; readonly ms: number }
  | { readonly kind: 'restartApiServer' };

const podChanges: ReadonlySet<string> = new Set<PodChange['kind']>([
  'create',
  'delete',
  'annotate',
  'unannotate',
  'flap',
  'label',
  'freeze',
  'pause',
  'resume',
  'interfaces',
  'snaplen',
  'filter',
  'hostileFilter',
]);

/** Whether a user changes a Pod. */
export function isPodChange(operation: Operation): operation is PodChange {
  return podChanges.has(operation.kind);
}

/** Whether a user changes the policy. */
export function isPolicyChange(operation: Operation): operation is PolicyChange {
  return operation.kind === 'applyPolicy' || operation.kind === 'deletePolicy';
}

/** Whether it is a fault, and not what a user does. */
export function isFault(operation: Operation): operation is Fault {
  return !isPodChange(operation) && !isPolicyChange(operation);
}
