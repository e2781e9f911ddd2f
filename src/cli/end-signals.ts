import { constants } from 'node:os';

/** The signals that end a command. */
export type EndSignals = Disposable & {
  /** Aborted by the first of them. */
  readonly signal: AbortSignal;
};

/** Why a command is ended: the reason of its signal. */
export class EndedBySignal extends Error {
  override readonly name = 'AbortError';
  /** As a shell has it for a program that a signal ends. */
  readonly exitCode: number;

  constructor(signal: EndSignal) {
    super(`${signal} was received`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

type EndSignal = (typeof endSignalNames)[number];

const endSignalNames = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** The first signal asks the command to end; a second one ends the process at once. */
export function endSignals(process: NodeJS.Process): EndSignals {
  const ending = new AbortController();
  const end = (name: EndSignal) => {
    const reason = new EndedBySignal(name);
    if (ending.signal.aborted) process.exit(reason.exitCode);
    ending.abort(reason);
  };
  for (const name of endSignalNames) process.on(name, end);
  return {
    signal: ending.signal,
    [Symbol.dispose]() {
      for (const name of endSignalNames) process.off(name, end);
    },
  };
}
