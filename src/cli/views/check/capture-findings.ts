import type { Capture, CaptureRecording } from '../../../api/capture.ts';
import { type CaptureList, listCaptures } from '../../api/captures-client.ts';
import type { Cluster } from '../../api/cluster.ts';
import { missingNamespace } from '../../api/missing-namespace.ts';
import { UnreachableServer } from '../../api/unreachable-server.ts';
import { CommandFailure } from '../../cli-command.ts';
import type { Finding } from './finding.ts';

/** The captures of the namespace (undefined: of all), and why some are not running. */
export async function captureFindings(
  cluster: Cluster,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    const list = await listCaptures(cluster, { namespace }, signal);
    const isEmpty = list.captures.length === 0 && namespace !== undefined;
    const missing = isEmpty ? await missingNamespace(cluster, namespace, signal) : undefined;
    if (missing !== undefined) return [{ status: 'fix', subject: 'captures', text: missing }];
    return capturesFindings(list, namespace);
  } catch (error) {
    if (!(error instanceof CommandFailure) || error instanceof UnreachableServer) throw error;
    const [firstLine = ''] = error.message.split('\n');
    return [{ status: 'note', subject: 'captures', text: `not known to you: ${firstLine}` }];
  }
}

/** Pure. */
export function capturesFindings(
  { captures, warnings }: CaptureList,
  namespace: string | undefined,
): readonly Finding[] {
  const incomplete = warnings.map(
    (warning): Finding => ({
      status: 'fix',
      subject: 'agents',
      text: warning.replace(/^podcap: /, ''),
    }),
  );
  const troubled = captures.flatMap((capture) => captureFinding(capture, namespace) ?? []);
  const more = troubled.length - mostCaptures;
  const rest: Finding = {
    status: 'note',
    subject: 'captures',
    text: `and ${more} more of this kind: kubectl podcap list shows all`,
  };
  return [
    ...incomplete,
    // From a list without a warning, also a user who may not look at the agents knows that they answer.
    {
      status: 'ok',
      subject: 'captures',
      text: `${summary(captures, namespace)}${incomplete.length === 0 ? '; every agent has answered' : ''}`,
    },
    ...troubled.slice(0, mostCaptures),
    ...(more > 0 ? [rest] : []),
  ];
}

const mostCaptures = 50;

/** "3 in namespace shop: 2 Capturing, 1 Refused". */
function summary(captures: readonly Capture[], namespace: string | undefined): string {
  const where = namespace === undefined ? 'in all namespaces' : `in namespace ${namespace}`;
  const byPhase = Map.groupBy(captures, ({ status }) => status.recordings[0]?.phase ?? 'Unknown');
  const phases = [...byPhase].map(([phase, each]) => `${each.length} ${phase}`);
  return phases.length === 0 ? `none ${where}` : `${captures.length} ${where}: ${phases.join(', ')}`;
}

/** Undefined for one that runs, or has ended. */
function captureFinding({ metadata, status }: Capture, namespace: string | undefined): Finding | undefined {
  const [newest] = status.recordings;
  if (newest === undefined) return undefined;
  const why = troubleOf(newest);
  if (why === undefined) return undefined;
  const name = namespace === undefined ? `${metadata.namespace}/${metadata.name}` : metadata.name;
  return {
    status: newest.phase === 'Waiting' ? 'note' : 'fix',
    subject: 'captures',
    text: `${name}: ${why}`,
  };
}

/** Why a capture does not run: the agent's own words say what to do. Undefined for one that runs, or has ended. */
export function troubleOf({ phase, reason, message, node }: CaptureRecording): string | undefined {
  switch (phase) {
    case 'Refused':
    case 'Failed':
    case 'Waiting': {
      const state = reason === undefined ? phase : `${phase} (${reason})`;
      return `${state}${message === undefined ? '' : `: ${message}`}`;
    }
    case 'Unknown':
      return message ?? `no agent says anything about it: see whether Node ${node} and its agent are up`;
    case 'Capturing':
    case 'Paused':
    case 'Ended':
      return undefined;
  }
}
