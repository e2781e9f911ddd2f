import type { CaptureSpec } from '../planner/annotations.ts';
import { joinedRefusals, type Refusal } from '../planner/refusals.ts';
import type { InterfaceRefusal, InterfaceStart, MissedBefore, RecordingReport } from './recording-report.ts';

/** The report that a Pod is captured. */
export type CapturingReport = RecordingReport & { readonly kind: 'capturing' };

/**
 * The report about these starts: at least one, in the order in which their interfaces are asked for. Pure. `spec` is what
 * is captured, without what is refused.
 */
export function capturingReport(
  spec: CaptureSpec,
  starts: readonly InterfaceStart[],
  refused: readonly InterfaceRefusal[],
): CapturingReport {
  return {
    kind: 'capturing',
    generation: Math.max(...starts.map(({ generation }) => generation)),
    spec,
    missedBefore: combined(starts.map(({ missedBefore }) => missedBefore)),
    ...(starts.some(({ isOtherInterface }) => isOtherInterface) && { isOtherInterface: true as const }),
    ...(starts.length > 1 && { starts }),
    ...(refused.length > 0 && { refused }),
  };
}

/** What was missed before several captures together: unknown while it is of one of them. */
export function combined(all: readonly MissedBefore[]): MissedBefore {
  if (all.some(({ kind }) => kind === 'unknown')) return { kind: 'unknown' };
  const firstPackets = packetsOf(all, 'first');
  const gaps = all.filter((each) => each.kind === 'gap');
  if (gaps.length === 0) return { kind: 'first', packets: firstPackets };
  const isSettled = gaps.some((gap) => gap.isSettled);
  const gap = { kind: 'gap', packets: packetsOf(all, 'gap'), isSettled } as const;
  return firstPackets > 0 ? { ...gap, firstPackets } : gap;
}

function packetsOf(all: readonly MissedBefore[], kind: 'first' | 'gap'): number {
  return all.reduce((sum, each) => sum + (each.kind === kind ? each.packets : 0), 0);
}

/** What has been told of the starts of one Pod's captures, by generation. */
export type ToldStarts = ReadonlyMap<number, MissedBefore>;

/**
 * The report with only what is new of its starts, and what has been told then. Pure. Of several interfaces, the capture of
 * one starts again while the others go on: how many packets were missed before is not told again of those. If nothing is
 * new of any start, something else is: then it is told of all.
 */
export function newsOf(
  report: CapturingReport,
  told: ToldStarts | undefined,
): { readonly news: CapturingReport; readonly told: ToldStarts } {
  const starts = startsOf(report);
  const fresh = starts.filter(({ generation, missedBefore }) => !isSame(told?.get(generation), missedBefore));
  const tellsOf = fresh.length > 0 ? fresh : starts;
  const { isOtherInterface: _all, starts: _starts, ...rest } = report;
  const news: CapturingReport = {
    ...rest,
    missedBefore: combined(tellsOf.map(({ missedBefore }) => missedBefore)),
    ...(tellsOf.some(({ isOtherInterface }) => isOtherInterface) && { isOtherInterface: true as const }),
    ...(starts.length > 1 && { starts: tellsOf }),
  };
  // While it is unknown of one of them, it is told of none.
  const isUnknown = news.missedBefore.kind === 'unknown';
  const toldOf = (start: InterfaceStart): MissedBefore =>
    isUnknown && tellsOf.includes(start) ? { kind: 'unknown' } : start.missedBefore;
  return { news, told: new Map(starts.map((start) => [start.generation, toldOf(start)])) };
}

/** All starts that a report is about, in the order in which their interfaces are asked for. */
export function startsOf({
  starts,
  spec,
  generation,
  missedBefore,
  isOtherInterface,
}: CapturingReport): readonly InterfaceStart[] {
  const [name = ''] = spec.interfaces;
  const isOther = isOtherInterface ?? false;
  return starts ?? [{ interface: name, generation, missedBefore, isOtherInterface: isOther }];
}

function isSame(a: MissedBefore | undefined, b: MissedBefore): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Why those interfaces are refused. */
export function refusalOfInterfaces(refused: readonly InterfaceRefusal[]): Refusal {
  return joinedRefusals(refused.map(({ refusal }) => refusal));
}
