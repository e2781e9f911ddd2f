import type { CaptureRecording } from '../../api/capture.ts';
import { onAbort } from '../../base/on-abort.ts';
import { CommandFailure } from '../cli-command.ts';

/** What is waited for of one Pod. */
export type AwaitedAnswer<A> = {
  readonly pod: string;
  readonly uid: string;
  /**
   * What its recording answers, or that there is none; undefined: nothing yet. An answer that is not certain counts once
   * it has stood for a while.
   */
  readonly answerOf: (
    recording: CaptureRecording | undefined,
  ) => { readonly answer: A; readonly isCertain: boolean } | undefined;
};

export type AnswerTiming = {
  /** The longest wait for all answers. */
  readonly deadlineMs: number;
  /** How long an uncertain answer must stand: longer than an agent checks a filter, which is a second at most. */
  readonly settleMs: number;
};

export const answerTiming: AnswerTiming = { deadlineMs: 10_000, settleMs: 2_000 };

export type AwaitedAnswers<A> = {
  /** By UID; without those that have not come in time. */
  readonly answers: ReadonlyMap<string, A>;
  /** By UID, what was last seen. */
  readonly recordings: ReadonlyMap<string, CaptureRecording>;
  /** Why captures could not be watched to the end. */
  readonly problem: string | undefined;
};

/** What is recorded of the Pods of a name now. */
export type RecordedPods = { readonly pod: string; readonly recordings: readonly CaptureRecording[] };

/** What is recorded at first, where there is something, and then every change. */
type WatchRecordings = (signal: AbortSignal) => AsyncIterable<RecordedPods>;

/** Waits until all Pods have their answers, or the time is over, or the signal aborts. */
export async function awaitAnswers<A>(
  awaited: readonly AwaitedAnswer<A>[],
  { watch, signal, timing }: AnswerWatch,
): Promise<AwaitedAnswers<A>> {
  const ending = new AbortController();
  using _ = onAbort(signal, () => ending.abort());
  const pending = pendingAnswers(awaited, timing.settleMs, () => ending.abort());
  const deadline = setTimeout(() => ending.abort(), timing.deadlineMs);
  if (awaited.length === 0) ending.abort();
  const problem = await followed(watch, ending.signal, (change) => pending.note(change));
  clearTimeout(deadline);
  return { answers: pending.end(), recordings: pending.recordings, problem };
}

export type AnswerWatch = {
  readonly watch: WatchRecordings;
  readonly signal: AbortSignal;
  readonly timing: AnswerTiming;
};

/** Returns why it ended before the signal aborted. */
async function followed(
  watch: WatchRecordings,
  signal: AbortSignal,
  note: (change: RecordedPods) => void,
): Promise<string | undefined> {
  if (signal.aborted) return undefined;
  try {
    for await (const change of watch(signal)) {
      note(change);
      if (signal.aborted) return undefined;
    }
  } catch (error) {
    if (signal.aborted) return undefined;
    if (error instanceof CommandFailure) return error.message;
    throw error;
  }
  return undefined;
}

function pendingAnswers<A>(awaited: readonly AwaitedAnswer<A>[], settleMs: number, onAll: () => void) {
  const answers = new Map<string, A>();
  const recordings = new Map<string, CaptureRecording>();
  const uncertain = new Map<string, { readonly answer: A; readonly timer: NodeJS.Timeout }>();

  function settle(uid: string, answer: A): void {
    clearTimeout(uncertain.get(uid)?.timer);
    uncertain.delete(uid);
    answers.set(uid, answer);
    if (answers.size === awaited.length) onAll();
  }

  function noteOne(each: AwaitedAnswer<A>, recording: CaptureRecording | undefined): void {
    const { uid } = each;
    if (recording) recordings.set(uid, recording);
    if (answers.has(uid)) return;
    const found = each.answerOf(recording);
    if (found?.isCertain === true) settle(uid, found.answer);
    else noteUncertain(uid, found);
  }

  function noteUncertain(uid: string, found: { readonly answer: A } | undefined): void {
    const before = uncertain.get(uid);
    if (found && before) uncertain.set(uid, { ...before, answer: found.answer });
    else if (found) {
      const timer = setTimeout(() => settle(uid, uncertain.get(uid)?.answer ?? found.answer), settleMs);
      uncertain.set(uid, { answer: found.answer, timer });
    } else if (before) {
      clearTimeout(before.timer);
      uncertain.delete(uid);
    }
  }

  return {
    recordings,
    note({ pod, recordings: found }: RecordedPods): void {
      for (const each of awaited.filter((one) => one.pod === pod))
        noteOne(
          each,
          found.find(({ uid }) => uid === each.uid),
        );
    },
    /** What stands at the end counts. */
    end(): ReadonlyMap<string, A> {
      for (const [uid, { answer, timer }] of uncertain) {
        clearTimeout(timer);
        answers.set(uid, answer);
      }
      return answers;
    },
  };
}
