import * as v from 'valibot';
import type { ApiServer, ScriptedAnswer } from '../../kubernetes/testing/api-server.ts';
import { linkAudience } from '../../link/protocol.ts';

/** The account of the agents in tests. */
export const testAccount = 'system:serviceaccount:kube-system:podcap';

export type TestToken = {
  readonly account?: string;
  readonly audience?: string;
  readonly podName?: string | undefined;
  readonly podUid?: string | undefined;
  readonly node?: string | undefined;
  /** In milliseconds of Unix time; an hour from now unless set. */
  readonly expiresAtMs?: number;
};

/** A token with those claims, as the API server of a test takes it: nobody has signed it. */
export function agentToken(token: TestToken = {}): string {
  const { account = testAccount, audience = linkAudience, expiresAtMs = Date.now() + 3_600_000 } = token;
  const { node = 'node-1' } = token;
  const podName = 'podName' in token ? token.podName : `podcap-${node}`;
  const podUid = 'podUid' in token ? token.podUid : `uid-of-${podName}`;
  const pod = podName === undefined ? {} : { pod: { name: podName, uid: podUid } };
  const bound = { ...pod, ...('node' in token && token.node === undefined ? {} : { node: { name: node } }) };
  const claims = { sub: account, aud: [audience], exp: expiresAtMs / 1_000, 'kubernetes.io': bound };
  return `${part({ alg: 'RS256' })}.${part(claims)}.${Buffer.from('unsigned').toString('base64url')}`;
}

function part(object: object): string {
  return Buffer.from(JSON.stringify(object)).toString('base64url');
}

export const tokenReviewPath = '/apis/authentication.k8s.io/v1/tokenreviews';

/** Has the API server of a test answer TokenReviews as a real one does, from the claims of `agentToken`. */
export function answerTokenReviews(server: Pick<ApiServer, 'answers'>): void {
  server.answers.set(tokenReviewPath, ({ body }) => ({
    kind: 'json',
    status: 201,
    body: reviewed(v.parse(reviewSchema, body).spec),
  }));
}

/** An answer to a TokenReview with that status. */
export function tokenReviewAnswer(status: object): ScriptedAnswer {
  return { kind: 'json', status: 201, body: { kind: 'TokenReview', status } };
}

function reviewed({ token, audiences }: v.InferOutput<typeof reviewSchema>['spec']): object {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), claimsSchema), payload);
  const isValid =
    parsed.success &&
    parsed.output.exp * 1_000 > Date.now() &&
    audiences.some((audience) => parsed.output.aud.includes(audience));
  if (!isValid) return { kind: 'TokenReview', status: { user: {}, error: 'invalid bearer token' } };
  const { pod, node } = parsed.output['kubernetes.io'];
  const extra = {
    ...(pod && { [key('pod-name')]: [pod.name], [key('pod-uid')]: [pod.uid] }),
    ...(node && { [key('node-name')]: [node.name] }),
  };
  const user = { username: parsed.output.sub, uid: 'uid-of-account', extra };
  return { kind: 'TokenReview', status: { authenticated: true, user, audiences } };
}

function key(name: string): string {
  return `authentication.kubernetes.io/${name}`;
}

const reviewSchema = v.object({
  spec: v.object({ token: v.string(), audiences: v.array(v.string()) }),
});

const claimsSchema = v.object({
  sub: v.string(),
  aud: v.array(v.string()),
  exp: v.number(),
  'kubernetes.io': v.object({
    pod: v.optional(v.object({ name: v.string(), uid: v.string() })),
    node: v.optional(v.object({ name: v.string() })),
  }),
});
