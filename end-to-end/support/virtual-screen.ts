import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { until } from '../../src/base/until.ts';

/** An X server without hardware, on which a test opens windows. */
export type VirtualScreen = AsyncDisposable & {
  /** Its name, as in $DISPLAY. */
  readonly display: string;
  /** Resolves to the window with a title that matches, a regular expression, once there is one. */
  readonly window: (title: string) => Promise<ScreenWindow>;
};

export type ScreenWindow = {
  /** Types one combination of keys, such as ctrl+q, at the window. */
  readonly press: (keys: string) => Promise<void>;
};

/** Starts Xvfb with a display number that is free. When it is disposed of, its windows end, and it leaves no file. */
export async function virtualScreen(): Promise<VirtualScreen> {
  const server = spawn('Xvfb', ['-displayfd', '3', '-nolisten', 'tcp', '-screen', '0', '1200x700x24'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const closed = once(server, 'close');
  const end = async () => {
    server.kill();
    await closed;
  };
  const display = await displayOf(server.stdio[3]).catch(async (error: unknown) => {
    await end();
    throw error;
  });
  const tool = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)('xdotool', args, {
      env: { ...process.env, DISPLAY: display },
    });
    return stdout.trim();
  };
  return {
    display,
    async window(title) {
      const found = async () =>
        (await tool('search', '--onlyvisible', '--name', title).catch(noWindow)).split('\n')[0];
      const id = await until(async () => (await found()) || undefined, {
        what: `a window ${title}`,
        deadlineMs: 60_000,
        everyMs: 200,
      });
      const press = async (keys: string) => void (await tool('windowfocus', '--sync', id, 'key', keys));
      return { press };
    },
    [Symbol.asyncDispose]: end,
  };
}

/** The tool fails if no window matches. */
const noWindow = () => '';

/** The server writes the number once it can be used. */
async function displayOf(output: unknown): Promise<string> {
  if (!(output instanceof Readable)) throw new Error('Xvfb has no output for its display');
  const [number]: unknown[] = await once(output, 'data', { signal: AbortSignal.timeout(30_000) });
  return `:${String(number).trim()}`;
}
