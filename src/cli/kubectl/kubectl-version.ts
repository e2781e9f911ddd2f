import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as v from 'valibot';
import type { Kubectl } from './kubectl.ts';

/** The first kubectl whose proxy has --append-server-path, without which a server behind a path is not found. */
export const oldestKubectl = { major: 1, minor: 23 } as const;

/** The version of kubectl ("v1.36.3"); undefined if it does not say one. */
export async function readKubectlVersion(
  { program, env }: Pick<Kubectl, 'program' | 'env'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const args = ['version', '--client', '--output=json'];
  try {
    const { stdout } = await promisify(execFile)(program, args, { env, signal, timeout: answerMs });
    return v.parse(v.pipe(v.string(), v.parseJson(), versionSchema), stdout).clientVersion.gitVersion;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Whether that version lacks what Podcap needs. One that cannot be read does not. */
export function isTooOld(gitVersion: string): boolean {
  const [, major, minor] = /^v?(\d+)[.](\d+)/.exec(gitVersion) ?? [];
  if (major === undefined || minor === undefined) return false;
  if (Number(major) !== oldestKubectl.major) return Number(major) < oldestKubectl.major;
  return Number(minor) < oldestKubectl.minor;
}

/** It asks no server. */
const answerMs = 30_000;

const versionSchema = v.object({ clientVersion: v.object({ gitVersion: v.string() }) });
