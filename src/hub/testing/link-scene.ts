import { kubernetesClient } from '../../kubernetes/client.ts';
import { type ApiServer, apiServer } from '../../kubernetes/testing/api-server.ts';
import { type Certificate, selfSigned } from '../../kubernetes/testing/certificate.ts';
import { type Line, memoryLog } from '../../kubernetes/testing/memory-logger.ts';
import type { ReceiveReports } from '../agents/agent-reports.ts';
import { type LinkServer, type LinkServerOptions, linkServer } from '../agents/link-server.ts';
import { tokenReviews } from '../agents/token-review.ts';
import { agentToken, answerTokenReviews, testAccount } from './agent-token.ts';
import { connectTestAgent, type TestAgent, type TestAgentOptions } from './test-agent.ts';

/** A link server on a port of its own, and the API server that it asks about tokens. */
export type LinkScene = AsyncDisposable & {
  readonly api: ApiServer;
  readonly server: LinkServer;
  readonly port: number;
  readonly certificate: Certificate;
  readonly log: readonly Line[];
  /** An agent of node-1, unless its token says something else. */
  readonly connect: (options?: Partial<TestAgentOptions>) => Promise<TestAgent>;
};

/** Nobody takes the reports. */
export const ignoredReports: ReceiveReports = () => ({ receive() {}, disconnected() {} });

/** Starts a link server whose API server accepts every token of `agentToken` that a real one would accept. */
export async function linkScene(options: Partial<LinkServerOptions> = {}): Promise<LinkScene> {
  const certificate = await selfSigned();
  const api = await apiServer(undefined, certificate);
  answerTokenReviews(api);
  const client = kubernetesClient(api.config);
  const log = memoryLog();
  const reviews = tokenReviews({ client, account: testAccount, reviewMs: 1_000 });
  const defaults = { certificate, reviews, receiveReports: ignoredReports, version: '1.2.3', log };
  const server = linkServer({ ...defaults, ...options });
  const port = await server.listen(0, '127.0.0.1');
  return {
    api,
    server,
    port,
    certificate,
    log: log.lines,
    connect: (of = {}) => connectTestAgent({ port, ca: certificate.cert, token: agentToken(), ...of }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}
