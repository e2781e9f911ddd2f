import type { CapturedInterface } from './tcpdump-output.ts';

/** What has become of the interface that a capture is bound to. Its tcpdump continues in each case. */
export type InterfaceCondition =
  | { readonly kind: 'normal' }
  | { readonly kind: 'down' }
  /** No interface has the name any more that the capture was started with. */
  | { readonly kind: 'renamed'; readonly name: string }
  /** Another interface has that name. */
  | { readonly kind: 'replaced' };

/** The condition of an interface, the most important one if there are several. Pure. */
export function conditionOf(isUp: boolean, captured: CapturedInterface | undefined): InterfaceCondition {
  const { index, name, requestedIndex } = captured ?? {};
  if (requestedIndex !== undefined && requestedIndex !== index) return { kind: 'replaced' };
  if (!isUp) return { kind: 'down' };
  return name !== undefined && requestedIndex === undefined ? { kind: 'renamed', name } : { kind: 'normal' };
}

export type InterfaceConditionOptions = {
  readonly onChange: (condition: InterfaceCondition) => void;
  /** Has tcpdump say again who has the name: nothing tells it when another interface takes it. */
  readonly recheck: () => void;
  readonly settledAfterMs?: number;
};

export type InterfaceConditionReports = Disposable & {
  readonly setUp: (isUp: boolean) => void;
  readonly setCaptured: (captured: CapturedInterface) => void;
  /** Whether the last reported condition was that another interface has the name. */
  readonly isSuperseded: () => boolean;
};

/** An interface is set down before it is deleted or renamed: only what stays so for a second is reported. */
const defaultSettledAfterMs = 1_000;

/** Reports each condition that lasts, and at once when the interface is normal again. */
export function reportInterfaceCondition(options: InterfaceConditionOptions): InterfaceConditionReports {
  const { onChange, recheck, settledAfterMs = defaultSettledAfterMs } = options;
  let isUp = true;
  let captured: CapturedInterface | undefined;
  let reported: InterfaceCondition = { kind: 'normal' };
  let timer: NodeJS.Timeout | undefined;
  let rechecking: NodeJS.Timeout | undefined;

  function report(): void {
    const condition = conditionOf(isUp, captured);
    if (isSame(condition, reported)) return;
    reported = condition;
    onChange(condition);
  }

  function changed(): void {
    const { kind } = conditionOf(isUp, captured);
    clearTimeout(timer);
    if (kind === 'normal') report();
    else timer = setTimeout(report, settledAfterMs);
    const isNameFree = captured !== undefined && captured.requestedIndex === undefined;
    if (!isNameFree) {
      clearInterval(rechecking);
      rechecking = undefined;
    } else rechecking ??= setInterval(recheck, settledAfterMs);
  }

  return {
    setUp(up) {
      isUp = up;
      changed();
    },
    setCaptured(newest) {
      captured = newest;
      changed();
    },
    isSuperseded: () => reported.kind === 'replaced',
    [Symbol.dispose]() {
      clearTimeout(timer);
      clearInterval(rechecking);
    },
  };
}

function isSame(a: InterfaceCondition, b: InterfaceCondition): boolean {
  return a.kind === b.kind && (a.kind !== 'renamed' || b.kind !== 'renamed' || a.name === b.name);
}
