import { capturingReport } from '../observability/capturing-report.ts';
import type { InterfaceRefusal, InterfaceStart } from '../observability/recording-report.ts';
import { type CaptureSpec, isSameTcpdump } from '../planner/annotations.ts';
import type { RefusedRing } from './goal.ts';
import { isListening, type LastingReport, type ObservedCapture, type RingSpec } from './pod-state.ts';

/** The rings that are to be captured, and those that are refused alone. */
export type ReportedRings = {
  readonly rings: readonly RingSpec[];
  readonly refused: readonly Pick<RefusedRing, 'spec' | 'refusal'>[];
};

/**
 * Returns what is reported of a Pod of which something is captured. Pure. Nothing while a ring is not captured, or some
 * rings are captured as requested and others as before: what was reported last still holds. Nothing either if an
 * interface is replaced: the next capture reports it.
 */
export function reportOfCaptures(
  { rings, refused }: ReportedRings,
  captures: readonly ObservedCapture[],
  request: CaptureSpec | undefined,
): LastingReport | undefined {
  const reported = reportedCaptures(rings, captures);
  const [first] = reported;
  if (!request || !first || reported.length < Math.max(1, rings.length)) return undefined;
  if (reported.some(({ condition }) => condition.kind === 'replaced')) return undefined;
  return conditionReport(reported) ?? capturing({ reported, first, refused }, request);
}

/** One for each ring that is captured. Until the only one is, what it takes over from. */
function reportedCaptures(
  rings: readonly RingSpec[],
  captures: readonly ObservedCapture[],
): ObservedCapture[] {
  const listening = captures.filter(isListening);
  const ofRings = rings.flatMap(
    (ring) => listening.findLast(({ spec }) => spec.interface === ring.interface) ?? [],
  );
  if (ofRings.length > 0 || rings.length > 1) return ofRings;
  return listening.slice(-1);
}

/** Of several interfaces with a problem, the first: the next one is reported when that one is over. */
function conditionReport(captures: readonly ObservedCapture[]): LastingReport | undefined {
  for (const { spec, condition, reported } of captures) {
    const { generation } = reported;
    if (condition.kind === 'down') return { kind: 'interfaceDown', generation, interface: spec.interface };
    if (condition.kind === 'renamed')
      return { kind: 'interfaceRenamed', generation, interface: spec.interface, name: condition.name };
  }
  return undefined;
}

type Reported = {
  readonly reported: readonly ObservedCapture[];
  readonly first: ObservedCapture;
  readonly refused: ReportedRings['refused'];
};

function capturing({ reported, first, refused }: Reported, request: CaptureSpec): LastingReport | undefined {
  const isAlike = reported.every(
    ({ spec }) =>
      spec.files === first.spec.files &&
      isSameTcpdump({ ...spec, interface: first.spec.interface }, first.spec),
  );
  if (!isAlike) return undefined;
  const { filter, snaplen, fileMegabytes, files } = first.spec;
  const interfaces = reported.map(({ spec }) => spec.interface);
  const spec = { ...request, interfaces, filter, snaplen, fileMegabytes, files };
  return capturingReport(spec, reported.map(startOf), refused.map(refusalOf));
}

function startOf({ spec, reported, isOtherInterface }: ObservedCapture): InterfaceStart {
  return { interface: spec.interface, ...reported, isOtherInterface };
}

function refusalOf({ spec, refusal }: ReportedRings['refused'][number]): InterfaceRefusal {
  return { interface: spec.interface, refusal };
}
