import { setTimeout as sleep, setImmediate as yieldToOthers } from 'node:timers/promises';
import { lruCache } from '../../base/lru-cache.ts';
import { lines } from '../../kubernetes/split-lines.ts';
import { parseCountersLine } from '../../link/counters-line.ts';
import { type CountersLine, linkBounds, linkPaths } from '../../link/protocol.ts';
import type { ReportingAgent } from './recording-claim.ts';

/** Asks agents for the counters of their recordings. */
export type CounterRounds = {
  /**
   * Resolves when all have answered, or after `freshMs`, or at the signal: with those that have not answered. What
   * arrives later is still used.
   */
  readonly refresh: (
    targets: readonly CounterTarget[],
    signal: AbortSignal,
  ) => Promise<readonly ReportingAgent[]>;
};

export type CounterTarget = {
  readonly agent: ReportingAgent;
  /** Of this recording alone; of all if undefined. */
  readonly uid: string | undefined;
};

export type CounterTimes = {
  /** How long a list waits. */
  readonly freshMs: number;
  /** How long an agent may take. */
  readonly answerMs: number;
  /** Counters of this age are new enough: many lists at once share one round. */
  readonly sharedMs: number;
};

export const defaultCounterTimes: CounterTimes = { freshMs: 1_000, answerMs: 5_000, sharedMs: 1_000 };

/** A line has 300 bytes or so. An agent that exceeds a bound has not answered. */
const counterBounds = { lineBytes: 1_024, answerBytes: 2 * 1024 * 1024 } as const;

/** Between these, others get their turn. */
const agentsInOneGo = 32;
const linesInOneGo = 256;

/** Rounds that hand each line of an answer to `count`. */
export function counterRounds(
  count: (agent: ReportingAgent, line: CountersLine) => void,
  { freshMs, answerMs, sharedMs }: CounterTimes = defaultCounterTimes,
): CounterRounds {
  /** The last question to each agent, by link and UID. */
  const asked = lruCache<Question>(8_192);

  function ask(target: CounterTarget): Question {
    const key = `${target.agent.node} ${target.agent.podUid} ${target.uid ?? ''}`;
    const last = asked.get(key);
    const connectedMs = target.agent.link?.connectedMs;
    const isShared = last?.connectedMs === connectedMs && performance.now() - (last?.startMs ?? 0) < sharedMs;
    if (last && isShared) return last;
    const question = {
      connectedMs,
      startMs: performance.now(),
      isAnswered: false,
      done: noAnswer,
    };
    question.done = readCounters(target, count, answerMs).then((isAnswered) => {
      question.isAnswered = isAnswered;
    });
    asked.set(key, question);
    return question;
  }

  return {
    async refresh(targets, signal) {
      const waiting = new AbortController();
      const deadline = sleep(freshMs, undefined, { signal: AbortSignal.any([signal, waiting.signal]) });
      const over = deadline.catch(() => {});
      const questions: { readonly agent: ReportingAgent; readonly question: Question }[] = [];
      for (const [index, target] of targets.entries()) {
        if (index % agentsInOneGo === agentsInOneGo - 1) await yieldToOthers();
        questions.push({ agent: target.agent, question: ask(target) });
      }
      await Promise.race([over, Promise.all(questions.map(({ question }) => question.done))]);
      waiting.abort();
      return questions.filter(({ question }) => !question.isAnswered).map(({ agent }) => agent);
    },
  };
}

type Question = {
  /** Tells the connection from an earlier one of this agent. */
  readonly connectedMs: number | undefined;
  readonly startMs: number;
  isAnswered: boolean;
  done: Promise<void>;
};

const noAnswer: Promise<void> = Promise.resolve();

/** Whether the agent has answered to the end. Never rejects. */
async function readCounters(
  { agent, uid }: CounterTarget,
  count: (agent: ReportingAgent, line: CountersLine) => void,
  answerMs: number,
): Promise<boolean> {
  const { link } = agent;
  if (!link) return false;
  const signal = AbortSignal.timeout(answerMs);
  try {
    const request = { method: 'GET', path: linkPaths.counters, query: { uid }, signal } as const;
    const { status, body } = await link.request({ ...request, responseMs: answerMs });
    if (status !== 200) {
      body.destroy();
      return false;
    }
    let read = 0;
    for await (const line of lines(upTo(body, counterBounds.answerBytes), counterBounds.lineBytes)) {
      read += 1;
      if (read > linkBounds.recordings) return false;
      const counters = parseCountersLine(line);
      if (counters && agent.link === link) count(agent, counters);
      if (read % linesInOneGo === 0) await yieldToOthers();
    }
    return true;
  } catch {
    return false;
  }
}

/** Throws before it passes on more than that: empty lines count, too. */
async function* upTo(chunks: AsyncIterable<Buffer>, mostBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`an answer of more than ${mostBytes} bytes`);
    yield chunk;
  }
}
