import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../../base/until.ts';

/** A shell on a pseudo-terminal, at which a test types. */
export type TerminalShell = AsyncDisposable & {
  readonly type: (keys: string) => void;
  /** Resolves to what the shell has printed since the last call, once that has the text. */
  readonly shows: (text: string) => Promise<string>;
};

/** Starts an interactive shell, `bash --norc` for example, in 200 columns. */
export function terminalShell(command: string, env: NodeJS.ProcessEnv): TerminalShell {
  const inTerminal = `stty cols 200 rows 50; exec ${command}`;
  const child = spawn('script', ['--quiet', '--return', '--command', inTerminal, '/dev/null'], {
    env: { ...env, TERM: 'dumb', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const closed = once(child, 'close');
  return {
    type: (keys) => void child.stdin.write(keys),
    async shows(text) {
      const options = { what: `${command} to show ${text}`, deadlineMs: 30_000 };
      await until(() => printed.includes(text), options).catch((error: unknown) => {
        throw new Error(`it shows ${JSON.stringify(printed)}`, { cause: error });
      });
      const shown = printed;
      printed = '';
      return shown;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      child.stdin.destroy();
      await closed;
    },
  };
}
