import type { Capture, CaptureRecording } from '../../api/capture.ts';
import type { ListedCapture } from './listed-captures.ts';

/** What captures are sorted by: a column, or a field as in `kubectl get --sort-by`. */
export type SortKey =
  | { readonly kind: 'column'; readonly column: keyof typeof columnValues }
  | { readonly kind: 'field'; readonly steps: readonly (string | number)[] };

export type SortKeyProblem = { readonly kind: 'problem'; readonly message: string };

/** Reads the value of --sort-by: the name of a column, or a simple JSONPath such as {.metadata.name}. */
export function parseSortKey(text: string): SortKey | SortKeyProblem {
  const column = text.toLowerCase();
  if (isColumn(column)) return { kind: 'column', column };
  const steps = stepsOf(text.replace(/^\{([^]*)\}$/, '$1').replace(/^[$]/, ''));
  const isPath = steps !== undefined && (text.includes('.') || text.includes('['));
  if (isPath) return { kind: 'field', steps };
  const problem =
    `--sort-by takes a column (${sortColumnNames().join(', ')}) or the path of a field, such as ` +
    `.status.recordings[0].bytes, not ${JSON.stringify(text)}`;
  return { kind: 'problem', message: problem };
}

/**
 * The captures in ascending order of the key; what is unknown comes first, as with kubectl. Captures that are equal stay
 * in their order.
 */
export function sortedCaptures<C extends ListedCapture>(captures: readonly C[], key: SortKey): readonly C[] {
  // Numbers in texts count as numbers: web-2 comes before web-10.
  const { compare } = new Intl.Collator('en', { numeric: true });
  const keyed = captures.map((listed) => ({ listed, value: valueOf(listed, key) }));
  return keyed.toSorted((a, b) => compared(a.value, b.value, compare)).map(({ listed }) => listed);
}

/** Whether any of the captures has something at the key: if none has, it is probably misspelled. */
export function isAnywhere(captures: readonly ListedCapture[], key: SortKey): boolean {
  return key.kind === 'column' || captures.some((listed) => valueOf(listed, key) !== undefined);
}

/** The columns that --sort-by takes. */
export function sortColumnNames(): readonly string[] {
  return Object.keys(columnValues);
}

function isColumn(text: string): text is keyof typeof columnValues {
  return Object.hasOwn(columnValues, text);
}

type SortValue = string | number | undefined;

function valueOf({ capture, object }: ListedCapture, key: SortKey): SortValue {
  return key.kind === 'column' ? columnValues[key.column](capture) : fieldValue(object, key.steps);
}

/** What the columns of the table are sorted by, in their order. */
const columnValues = {
  namespace: ({ metadata }) => metadata.namespace,
  name: ({ metadata }) => metadata.name,
  node: ofNewest(({ node }) => node),
  state: ofNewest(({ phase, reason = '' }) => `${phase}:${reason}`),
  files: ofNewest(({ files }) => files),
  size: ofNewest(({ bytes }) => bytes),
  packets: ofNewest(({ packets }) => packets),
  dropped: ofNewest(({ dropped }) => dropped),
  lost: ofNewest(({ lostAtStop }) => lostAtStop),
  missed: ofNewest(({ missed }) => missed),
  unseen: ofNewest(({ unseen }) => unseen),
  span: ofNewest(({ firstPacketTime = '', lastPacketTime = '' }) =>
    known(Date.parse(lastPacketTime) - Date.parse(firstPacketTime)),
  ),
  frozen: ofNewest(({ frozen = [] }) => frozen.length),
  // The youngest first.
  since: ofNewest(({ phaseSince }) => known(-Date.parse(phaseSince))),
  age: ({ metadata }) => known(-Date.parse(metadata.creationTimestamp)),
  filter: ofNewest(({ requested }) => requested?.filter),
  uid: ofNewest(({ uid }) => uid),
} as const satisfies Readonly<Record<string, (capture: Capture) => SortValue>>;

function ofNewest(value: (newest: CaptureRecording) => SortValue): (capture: Capture) => SortValue {
  return ({ status }) => {
    const [newest] = status.recordings;
    return newest && value(newest);
  };
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

/** The steps of `.metadata.labels.app\.kubernetes\.io/name` or `.status.recordings[0].node`; undefined if it is none. */
function stepsOf(path: string): readonly (string | number)[] | undefined {
  const whole = path.startsWith('.') || path.startsWith('[') ? path : `.${path}`;
  const steps: (string | number)[] = [];
  let at = 0;
  for (const match of whole.matchAll(
    /[.]((?:[^.[\]{}\s*\\'"$@()]|\\.)+)|\[(\d{1,9})\]|\[(['"])([^'"]*)\3\]/gy,
  )) {
    const [step, name, index, , quotedName] = match;
    at += step.length;
    steps.push(index === undefined ? (quotedName ?? name ?? '').replaceAll(/\\(.)/g, '$1') : Number(index));
  }
  return at === whole.length ? steps : undefined;
}

function fieldValue(object: object, steps: readonly (string | number)[]): SortValue {
  let value: unknown = object;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = Object.entries(value).find(([name]) => name === String(step))?.[1];
  }
  if (typeof value === 'string' || typeof value === 'number') return value;
  return value === undefined || value === null ? undefined : JSON.stringify(value);
}

function compared(a: SortValue, b: SortValue, compareTexts: (a: string, b: string) => number): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return compareTexts(String(a), String(b));
}
