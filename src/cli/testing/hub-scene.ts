import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { delimiter, dirname } from 'node:path';
import type { Readable } from 'node:stream';
import {
  controlFrame,
  dataFrameHeader,
  framesMediaType,
  maxFrameBytes,
  type StreamEnd,
  type StreamGap,
} from '../../api/stream-frames.ts';
import { kubectlScene, sendObject } from '../kubectl/testing/kubectl-scene.ts';

/** Answers one request for a stream. */
export type StreamAnswerer = (stream: FrameWriter) => void | Promise<void>;

/** The frames of an answer, as a hub passes them on. */
export type FrameWriter = {
  readonly data: (bytes: Uint8Array) => void;
  readonly gap: (gap: StreamGap) => void;
  readonly end: (end?: Partial<StreamEnd>) => void;
  /** Cuts the connection. */
  readonly cut: () => void;
  readonly refuse: (status: number, reason: string, message: string) => void;
  /** Resolves when the client is gone. */
  readonly closed: Promise<void>;
};

/** The real kubectl before a hub that answers as a test says; namespace `shop` is that of the context. */
export type HubScene = AsyncDisposable & {
  /** The paths that were asked for, with their queries, each without what is the same in all. */
  readonly asked: () => readonly string[];
  /** Drops all connections, as an API server that is restarted. */
  readonly cutAll: () => void;
  readonly env: NodeJS.ProcessEnv;
  /** Runs `kubectl podcap`. */
  readonly run: (
    args: readonly string[],
    options?: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv },
  ) => RunningCli;
};

export type RunningCli = AsyncDisposable & {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** What it has said so far on standard error. */
  readonly said: () => string;
  readonly ended: Promise<CliResult>;
};

export type CliResult = {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
};

/**
 * `streams`: what `web/log` and `db/attach` are answered, one after the other; the last one is used again. `objects`: by
 * path, `pods/web` and `captures/web`; all others do not exist.
 */
export async function hubScene(
  streams: Readonly<Record<string, readonly StreamAnswerer[]>>,
  objects: Readonly<Record<string, object>> = {},
): Promise<HubScene> {
  const given = new Map(Object.entries(streams).map(([name, answers]) => [name, [...answers]]));
  const scene = await kubectlScene(
    ({ path }, response) => {
      const [place = ''] = path.replace(prefixes, '').split('?');
      const answers = given.get(place.replace(/^captures\//, ''));
      const answer = answers && answers.length > 1 ? answers.shift() : answers?.[0];
      const object = objects[place];
      if (answer) void answer(frameWriter(response));
      else if (object) sendObject(response, object);
      else sendObject(response, refusal(404, 'NotFound', `${place} not found`), 404);
    },
    { namespace: 'shop' },
  );
  const env = {
    ...scene.kubectl.env,
    PATH: [dirname(scene.kubectl.program), process.env['PATH']].join(delimiter),
  };
  return {
    asked: () => scene.requests.map(({ path }) => path.replace(prefixes, '')),
    cutAll: scene.cutAll,
    env,
    run: (args, { cwd = scene.folder, env: more } = {}) => runCli(args, { cwd, env: { ...env, ...more } }),
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}

/** The program, as it is run. */
export const cliProgram = [process.execPath, new URL('../main.ts', import.meta.url).pathname] as const;

const prefixes = /^\/(api\/v1|apis\/podcap\.dev\/v1alpha1|apis\/apps\/v1)\/namespaces\/shop\//;

function frameWriter(response: ServerResponse): FrameWriter {
  const digest = createHash('sha256');
  let bytes = 0;
  const begin = () => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': framesMediaType });
  };
  return {
    data(chunk) {
      begin();
      digest.update(chunk);
      bytes += chunk.length;
      for (let at = 0; at < chunk.length; at += maxFrameBytes) {
        const part = chunk.subarray(at, at + maxFrameBytes);
        response.write(dataFrameHeader(part.length));
        response.write(part);
      }
    },
    gap(gap) {
      begin();
      response.write(controlFrame({ kind: 'gap', gap }));
    },
    end(end) {
      begin();
      const whole = { reason: 'Complete', isComplete: true, bytes, packets: 0, sha256: digest.digest('hex') };
      response.end(controlFrame({ kind: 'end', end: { ...whole, ...end } }));
    },
    cut: () => response.destroy(),
    refuse: (status, reason, message) => sendObject(response, refusal(status, reason, message), status),
    closed: once(response, 'close').then(() => {}),
  };
}

function refusal(code: number, reason: string, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message };
}

function runCli(
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): RunningCli {
  const [program, ...first] = cliProgram;
  const child = spawn(program, [...first, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => (said += more));
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(child, 'close').then(([code]: unknown[]) => ({
    code: typeof code === 'number' ? code : null,
    stdout: Buffer.concat(chunks),
    stderr: said,
  }));
  return {
    child,
    said: () => said,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
