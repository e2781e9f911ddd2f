import * as v from 'valibot';
import { apiVersion } from '../../../api/capture.ts';
import { type ApiAnswer, answerOf, isSuccess, refusalOf } from '../../api/api-answer.ts';
import { apiPath } from '../../api/api-paths.ts';
import type { Cluster } from '../../api/cluster.ts';
import { type ClockReading, clockFinding } from './clock-finding.ts';
import type { Finding } from './finding.ts';

/** For `openCluster`. */
export const apiFindingPaths = [
  '/apis/podcap[.]dev/v1alpha1',
  '/apis/apiregistration[.]k8s[.]io/v1/apiservices/v1alpha1[.]podcap[.]dev',
] as const;

export type ApiFindings = {
  readonly findings: readonly Finding[];
  /** Whether the user is logged in: without that, nothing else can be asked. */
  readonly isLoggedIn: boolean;
};

/**
 * Whether the API server answers, and the hub behind it. Waits as long as a login waits for a person. Throws a
 * CommandFailure if the API server cannot be reached.
 */
export async function apiFindings(cluster: Cluster, signal: AbortSignal): Promise<ApiFindings> {
  const path = `/apis/${apiVersion}`;
  const discovery = await cluster.request({ path, signal });
  // With the slash, what is wrong with the hub as a whole has its own words.
  const answer = isSuccess(discovery)
    ? await answerOf(discovery, path)
    : await refusalOf(discovery, `${path}/`);
  if (answer.kind === 'refused' && answer.status === 401) {
    const findings: readonly Finding[] = [{ status: 'fix', subject: 'API server', text: answer.message }];
    return { findings, isLoggedIn: false };
  }
  const { clock, condition } = await askApiService(cluster, signal);
  const findings: readonly Finding[] = [
    { status: 'ok', subject: 'API server', text: 'kubectl reaches it' },
    clockFinding(clock),
    apiFinding(answer, condition),
  ];
  return { findings, isLoggedIn: true };
}

type Condition = v.InferOutput<typeof conditionSchema>;

/** Also says what time it is there. The condition is undefined where the user may not read it. */
async function askApiService(
  cluster: Cluster,
  signal: AbortSignal,
): Promise<{ readonly clock: ClockReading; readonly condition: Condition | undefined }> {
  const path = apiPath(['apis', 'apiregistration.k8s.io', 'v1', 'apiservices', apiServiceName]);
  const sentMs = Date.now();
  const sent = await cluster.request({ path, signal });
  const clock = { date: sent.date, sentMs, receivedMs: Date.now() };
  const answer = await answerOf(sent, path);
  const parsed = v.safeParse(apiServiceSchema, answer.kind === 'object' ? answer.object : undefined);
  const conditions = parsed.success ? parsed.output.status.conditions : [];
  return { clock, condition: conditions.find(({ type }) => type === 'Available') };
}

/** Whether the hub serves captures. Pure. */
export function apiFinding(answer: ApiAnswer, available: Condition | undefined): Finding {
  const subject = 'API';
  if (answer.kind === 'refused') {
    const [firstLine = ''] = answer.message.split('\n');
    // Who may not ask for it may still use it.
    return { status: answer.status === 403 ? 'note' : 'fix', subject, text: firstLine };
  }
  if (available !== undefined && available.status !== 'True') {
    const why = [available.reason, available.message].filter((each) => each !== undefined).join(': ');
    const text = `APIService ${apiServiceName} is not available (${why}): kubectl describe apiservice ${apiServiceName}`;
    return { status: 'fix', subject, text };
  }
  return { status: 'ok', subject, text: `${apiVersion} is available` };
}

const apiServiceName = apiVersion.split('/').toReversed().join('.');

const conditionSchema = v.object({
  type: v.string(),
  status: v.string(),
  reason: v.optional(v.string()),
  message: v.optional(v.string()),
});
const apiServiceSchema = v.object({ status: v.object({ conditions: v.array(conditionSchema) }) });
