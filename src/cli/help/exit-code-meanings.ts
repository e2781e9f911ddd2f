/** The exit codes of every command, for the man page and docs/cli.md. */
export const exitCodeMeanings: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'everything was done'],
  [1, 'nothing was done: the message says why'],
  [2, 'the command line is wrong'],
  [3, 'it was done, but packets are missing, or one of several Pods failed'],
];
