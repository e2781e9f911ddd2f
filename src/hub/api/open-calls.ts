import type { ServerResponse } from 'node:http';
import { type StatusError, statusError } from './status-error.ts';

/** `short`: has a deadline. `watch`, `stream`: last until the client is gone, or the hub ends. */
export type CallKind = 'short' | 'watch' | 'stream';

export type OpenedCall = {
  readonly kind: CallKind;
  readonly user: string;
  readonly response: ServerResponse;
};

/** The requests that are being answered. */
export type OpenCalls = {
  /**
   * Runs the work unless too many of its kind are open. Its signal aborts, with one of `callEndings`, when the client is
   * gone, at the deadline, and for long answers when the hub ends.
   *
   * @throws the reason of the signal, if a short answer is not there by then.
   */
  readonly run: (
    call: OpenedCall,
    work: (signal: AbortSignal) => Promise<StatusError | undefined>,
  ) => Promise<StatusError | undefined>;
  /** Ends watches and streams, and resolves once no request is open. */
  readonly end: () => Promise<void>;
};

/** The reasons with which the signal of a call aborts. */
export const callEndings = {
  clientGone: new Error('the client is gone'),
  deadline: new Error('the deadline of the request has passed'),
  hubEnds: new Error('the hub ends'),
} as const;

export type CallLimits = {
  readonly open: Readonly<Record<CallKind, number>>;
  /** Of one user, so that nobody takes all. Streams have bounds of their own (streams/stream-limits.ts). */
  readonly perUser: Readonly<Record<CallKind, number>>;
  /** Shorter than the minute after which kube-apiserver gives up: so the client reads why. */
  readonly deadlineMs: number;
};

export const defaultCallLimits: CallLimits = {
  open: { short: 256, watch: 2_000, stream: 1_000 },
  perUser: { short: 64, watch: 256, stream: 1_000 },
  deadlineMs: 50_000,
};

/** Keeps account of the requests that are being answered. */
export function openCalls({ open: most, perUser, deadlineMs }: CallLimits): OpenCalls {
  const open = new Map<AbortController, Pick<OpenedCall, 'kind' | 'user'>>();
  const idle = Promise.withResolvers<void>();
  let isEnding = false;

  function isOver({ kind, user }: OpenedCall): boolean {
    const all = [...open.values()].filter((each) => each.kind === kind);
    return all.length >= most[kind] || all.filter((each) => each.user === user).length >= perUser[kind];
  }

  return {
    async run(call, work) {
      const { kind, user, response } = call;
      if (isEnding && kind !== 'short') return ending;
      if (isOver(call)) return busy;
      const controller = new AbortController();
      const { signal } = controller;
      const leave = () => controller.abort(callEndings.clientGone);
      const { promise: over, reject } = Promise.withResolvers<never>();
      // A long answer ends by itself, and properly; a short one that is over is waited for no more.
      if (kind === 'short') signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      const deadline =
        kind === 'short' ? setTimeout(() => controller.abort(callEndings.deadline), deadlineMs) : undefined;
      open.set(controller, { kind, user });
      response.once('close', leave);
      try {
        return await Promise.race([work(signal), over]);
      } finally {
        clearTimeout(deadline);
        response.off('close', leave);
        open.delete(controller);
        if (isEnding && open.size === 0) idle.resolve();
      }
    },
    async end() {
      isEnding = true;
      for (const [controller, { kind }] of open) if (kind !== 'short') controller.abort(callEndings.hubEnds);
      if (open.size > 0) await idle.promise;
    },
  };
}

const ending = statusError('ServiceUnavailable', 'this replica of the hub is shutting down: try again', 1);
const busy = statusError(
  'TooManyRequests',
  'the hub is answering as many requests as it may, of you or of all: end watches, or try again',
  5,
);
