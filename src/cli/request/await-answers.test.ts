import { describe, expect, test } from 'vitest';
import type { CaptureRecording } from '../../api/capture.ts';
import { CommandFailure } from '../cli-command.ts';
import { type AnswerTiming, awaitAnswers, type RecordedPods } from './await-answers.ts';
import { recording } from './testing/request-objects.ts';

const { signal } = new AbortController();
const long: AnswerTiming = { deadlineMs: 60_000, settleMs: 60_000 };
const web = { pod: 'web', uid: 'uid-web' };

/** The changes, and then nothing until the wait is over. */
function watching(changes: readonly RecordedPods[], failure?: Error) {
  return async function* (ending: AbortSignal): AsyncGenerator<RecordedPods> {
    yield* changes;
    if (failure) throw failure;
    await new Promise((resolve) => ending.addEventListener('abort', resolve));
  };
}

const set = (...recordings: CaptureRecording[]): RecordedPods => ({ pod: 'web', recordings });

/** The phase answers; what is captured is not certain. */
const phaseOf = (found: CaptureRecording | undefined) =>
  found && { answer: found.phase, isCertain: found.phase !== 'Capturing' };

describe('awaitAnswers', () => {
  test('ends with the answer of the last Pod', async () => {
    const db = { pod: 'db', uid: 'uid-db', answerOf: phaseOf };
    const changes = [
      set(recording({ phase: 'Refused' })),
      { pod: 'db', recordings: [recording({ uid: 'uid-db', phase: 'Failed' })] },
    ] as const;
    const { answers } = await awaitAnswers([{ ...web, answerOf: phaseOf }, db], {
      watch: watching(changes),
      signal,
      timing: long,
    });
    expect(answers).toEqual(
      new Map([
        ['uid-web', 'Refused'],
        ['uid-db', 'Failed'],
      ]),
    );
  });

  test('takes no answer of another Pod of the same name', async () => {
    const other = set(recording({ uid: 'before', phase: 'Failed' }));
    const { answers, recordings } = await awaitAnswers([{ ...web, answerOf: phaseOf }], {
      watch: watching([other]),
      signal,
      timing: { deadlineMs: 50, settleMs: 1 },
    });
    expect(answers.size).toBe(0);
    expect(recordings.size).toBe(0);
  });

  test('takes an uncertain answer once it has stood, and a certain one instead of it at once', async () => {
    const wait = (changes: readonly RecordedPods[], timing: AnswerTiming) =>
      awaitAnswers([{ ...web, answerOf: phaseOf }], { watch: watching(changes), signal, timing });
    const capturing = set(recording());
    const stood = await wait([capturing], { deadlineMs: 60_000, settleMs: 1 });
    expect(stood.answers.get('uid-web')).toBe('Capturing');
    const refused = await wait([capturing, set(recording({ phase: 'Refused' }))], long);
    expect(refused.answers.get('uid-web')).toBe('Refused');
  });

  test('takes what stands at its end', async () => {
    const { answers } = await awaitAnswers([{ ...web, answerOf: phaseOf }], {
      watch: watching([set(recording())]),
      signal,
      timing: { deadlineMs: 50, settleMs: 60_000 },
    });
    expect(answers.get('uid-web')).toBe('Capturing');
  });

  test('sees a recording go', async () => {
    const answerOf = (found: CaptureRecording | undefined) =>
      found ? undefined : { answer: 'gone', isCertain: true };
    const wait = (changes: readonly RecordedPods[], deadlineMs: number) =>
      awaitAnswers([{ ...web, answerOf }], {
        watch: watching(changes),
        signal,
        timing: { deadlineMs, settleMs: 60_000 },
      });
    expect((await wait([set(recording()), set()], 60_000)).answers.get('uid-web')).toBe('gone');
    expect((await wait([set(recording())], 50)).answers.size).toBe(0);
  });

  test('ends when it is interrupted, and says why captures cannot be watched', async () => {
    const interrupted = await awaitAnswers([{ ...web, answerOf: phaseOf }], {
      watch: watching([]),
      signal: AbortSignal.abort(),
      timing: long,
    });
    expect(interrupted).toMatchObject({ problem: undefined });
    const failed = await awaitAnswers([{ ...web, answerOf: phaseOf }], {
      watch: watching([], new CommandFailure('the hub is gone', 1)),
      signal,
      timing: long,
    });
    expect(failed.problem).toBe('the hub is gone');
    expect((await awaitAnswers([], { watch: watching([]), signal, timing: long })).answers.size).toBe(0);
  });
});
