import type { ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import type { Capture } from '../../../api/capture.ts';
import type { CliCommand } from '../../cli-command.ts';
import {
  type KubectlScene,
  kubectlScene,
  type SceneHandler,
  sendObject,
} from '../../kubectl/testing/kubectl-scene.ts';
import { runCli } from '../../run-cli.ts';
import { cliTerminal, type TestScreen } from '../../testing/cli-terminal.ts';

/** The real kubectl in front of an API server that serves captures, and the commands that ask it. */
export type CapturesScene = AsyncDisposable & {
  readonly requests: KubectlScene['requests'];
  /** Runs a command as a user does: `args` without the name of the command. */
  readonly run: (
    command: CliCommand,
    args: readonly string[],
    options?: TestScreen & { readonly signal?: AbortSignal },
  ) => { readonly code: Promise<number>; readonly stdout: () => string; readonly stderr: () => string };
  readonly change: (type: 'ADDED' | 'MODIFIED' | 'DELETED', capture: Capture) => void;
  /** How many watches are open. */
  readonly watches: () => number;
};

export type CapturesSceneOptions = {
  readonly warnings?: readonly string[];
  /** Answers what it knows better. */
  readonly handler?: (...given: Parameters<SceneHandler>) => boolean;
};

/** The context has the namespace `shop`. */
export async function capturesScene(
  captures: readonly Capture[],
  { warnings = [], handler = () => false }: CapturesSceneOptions = {},
): Promise<CapturesScene> {
  const watches = new Set<ServerResponse>();
  const scene = await kubectlScene(
    (request, response) => {
      if (handler(request, response)) return;
      const { pathname, searchParams } = new URL(request.path, 'https://localhost');
      const [, namespace, name] =
        /^\/apis\/podcap[.]dev\/v1alpha1(?:\/namespaces\/([^/]+))?\/captures(?:\/(.+))?$/.exec(pathname) ??
        [];
      const items = captures.filter(
        ({ metadata }) =>
          (namespace ?? metadata.namespace) === metadata.namespace &&
          (name ?? metadata.name) === metadata.name,
      );
      response.setHeader(
        'warning',
        warnings.map((text) => `299 - "${text}"`),
      );
      if (searchParams.get('watch') === 'true') {
        watches.add(response.writeHead(200, { 'content-type': 'application/json' }));
        response.flushHeaders();
      } else if (name === undefined)
        sendObject(response, { kind: 'CaptureList', metadata: { resourceVersion: '100' }, items });
      else if (items[0]) sendObject(response, items[0]);
      else {
        const message = `captures.podcap.dev "${name}" not found`;
        sendObject(response, { kind: 'Status', reason: 'NotFound', code: 404, message }, 404);
      }
    },
    { namespace: 'shop' },
  );
  const { PATH, ...env } = scene.kubectl.env;
  return {
    requests: scene.requests,
    run(command, args, { signal = new AbortController().signal, ...screenOptions } = {}) {
      const screen = cliTerminal({
        ...screenOptions,
        env: { ...env, ...screenOptions.env, PATH: `${dirname(scene.kubectl.program)}:${PATH}` },
      });
      const program = { commands: [command], terminal: screen.terminal, signal };
      const code = runCli([command.name, ...args], program);
      return { code, stdout: screen.stdout, stderr: screen.stderr };
    },
    change(type, object) {
      for (const watch of watches) watch.write(`${JSON.stringify({ type, object })}\n`);
    },
    watches: () => watches.size,
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  };
}
