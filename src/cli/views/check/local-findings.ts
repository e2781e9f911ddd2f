import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CommandFailure } from '../../cli-command.ts';
import type { Kubectl } from '../../kubectl/kubectl.ts';
import { isTooOld, oldestKubectl, readKubectlVersion } from '../../kubectl/kubectl-version.ts';
import { findWireshark } from '../../live/wireshark.ts';
import { clientVersion } from '../../version/client-version.ts';
import type { Finding } from './finding.ts';

/** This program and kubectl. */
export async function programFindings(kubectl: Kubectl, signal: AbortSignal): Promise<readonly Finding[]> {
  const own = `${clientVersion}, on Node.js ${process.versions.node}`;
  return [
    { status: 'ok', subject: 'podcap', text: own },
    kubectlFinding(await readKubectlVersion(kubectl, signal)),
  ];
}

/** Whether that version of kubectl is new enough; undefined: it did not say one. */
export function kubectlFinding(version: string | undefined): Finding {
  const subject = 'kubectl';
  const needed = `${oldestKubectl.major}.${oldestKubectl.minor} or newer`;
  const get = 'see https://kubernetes.io/docs/tasks/tools/';
  if (version === undefined)
    return { status: 'fix', subject, text: `it does not run: install kubectl ${needed}; ${get}` };
  if (isTooOld(version))
    return { status: 'fix', subject, text: `${version} is too old: install ${needed}; ${get}` };
  return { status: 'ok', subject, text: version };
}

/** Whether there is a Wireshark for `live --wireshark`, and which. */
export async function wiresharkFinding(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Finding> {
  const subject = 'Wireshark';
  try {
    const path = await findWireshark(env);
    const version = await wiresharkVersion(path, { env, signal });
    return {
      status: 'ok',
      subject,
      text: `${version ?? 'found, but it does not say its version'} (${path})`,
    };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    const text = 'not found: only live --wireshark needs it; see https://www.wireshark.org/download.html';
    return { status: 'note', subject, text };
  }
}

/** "4.0.17"; undefined if it does not say one. It needs no display for that. */
async function wiresharkVersion(
  path: string,
  { env, signal }: { readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal },
): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { env, signal, timeout: versionMs });
    return /\b\d+[.]\d+[.]\d+\b/.exec(stdout)?.[0];
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** It loads its window toolkit first. */
const versionMs = 20_000;
