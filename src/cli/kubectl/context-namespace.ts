import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Kubectl } from './kubectl.ts';

/**
 * The namespace of a command: the one that was given; otherwise that of the context, as kubectl knows it; in a Pod
 * without a kubeconfig, that of the Pod.
 */
export async function contextNamespace(kubectl: Kubectl, signal: AbortSignal): Promise<string> {
  if (kubectl.namespace !== undefined) return kubectl.namespace;
  const args = ['config', 'view', '--minify', '--output=jsonpath={.contexts[0].context.namespace}'];
  try {
    const options = { env: kubectl.env, signal };
    const { stdout } = await promisify(execFile)(kubectl.program, [...args, ...kubectl.flags], options);
    return stdout.trim() || 'default';
  } catch {
    signal.throwIfAborted();
    // Without a context, or with a wrong one: of that, the proxy says what is wrong.
    return await podNamespace(kubectl.env);
  }
}

/** As client-go has it (clientcmd, inClusterClientConfig). */
async function podNamespace(env: NodeJS.ProcessEnv): Promise<string> {
  const text = env['POD_NAMESPACE'] ?? (await readFile(podNamespaceFile, 'utf8').catch(() => ''));
  return text.trim() || 'default';
}

const podNamespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
