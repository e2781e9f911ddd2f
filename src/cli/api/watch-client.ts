import { ApiError, answerError, type Call } from '../../kubernetes/api-error.ts';
import type { ApiRequest, ByteStream, KubernetesClient, StreamRequest } from '../../kubernetes/client.ts';
import { answerOf, isSuccess, objectOf, refusalOfText } from './api-answer.ts';
import { withQuery } from './api-paths.ts';
import { bytesUntilSilent, SilentAnswer } from './bytes-until-silent.ts';
import type { Cluster, ClusterAnswer } from './cluster.ts';
import { isCut } from './is-cut.ts';
import { readBodyText } from './read-body.ts';
import { UnreachableServer } from './unreachable-server.ts';

/**
 * A cluster as what follows a collection needs it (list-watch.ts). Both throw an ApiError for what can pass, and what
 * `Cluster.request` throws if kubectl is gone. `warnings` gets those of the last list, of all its pages.
 */
export function watchClient(
  cluster: Cluster,
  warnings: string[] = [],
): Pick<KubernetesClient, 'get' | 'stream'> {
  async function answer(
    call: Call,
    {
      path,
      query = {},
      signal = new AbortController().signal,
    }: Pick<ApiRequest, 'path' | 'query' | 'signal'>,
  ): Promise<ClusterAnswer> {
    const sent = await cluster.request({ path: withQuery(path, query), signal });
    if (isSuccess(sent)) return sent;
    const body = await readBodyText(sent.body, mostRefusalBytes);
    const { message } = refusalOfText(sent.status, body, path);
    throw new PlainApiError(answerError(call, { status: sent.status, body }), message);
  }
  /** Only the head has a deadline: the list before it has waited for a login. */
  async function opened(call: Call, { responseMs, ...request }: StreamRequest): Promise<ClusterAnswer> {
    const late = new AbortController();
    const silent = () => late.abort(new SilentAnswer(`no answer within ${responseMs / 1_000} s`));
    const timer = setTimeout(silent, responseMs);
    const signals = request.signal === undefined ? [late.signal] : [request.signal, late.signal];
    try {
      return await answer(call, { ...request, signal: AbortSignal.any(signals) });
    } finally {
      clearTimeout(timer);
    }
  }
  return {
    async get(request) {
      const call = { method: 'GET', path: request.path };
      return await apiErrors(call, request.signal, async () => {
        const sent = await answer(call, request);
        if (request.query?.['continue'] === undefined) warnings.length = 0;
        warnings.push(...sent.warnings);
        return objectOf(await answerOf(sent, request.path));
      });
    },
    async stream(request) {
      const call = { method: 'GET', path: request.path };
      const { body } = await apiErrors(call, request.signal, () => opened(call, request));
      return streamOf(call, body, request);
    },
  };
}

/** What an error of such a client says to a person. */
export function plainMessage(error: ApiError): string {
  return error instanceof PlainApiError ? error.plainMessage : error.message;
}

class PlainApiError extends ApiError {
  readonly plainMessage: string;

  constructor(error: ApiError, message: string) {
    const { method, path, status, reason, retryAfterMs } = error;
    super({ method, path, status, reason, retryAfterMs, message, cause: error });
    this.plainMessage = message;
  }
}

function streamOf(call: Call, body: ClusterAnswer['body'], { idleMs, signal }: StreamRequest): ByteStream {
  async function* chunks(): AsyncGenerator<Buffer, void> {
    const bytes = bytesUntilSilent(body, idleMs);
    for (;;) {
      const next = await apiErrors(call, signal, () => bytes.next());
      if (next.done === true) return;
      yield next.value;
    }
  }
  return {
    [Symbol.asyncIterator]: chunks,
    [Symbol.asyncDispose]() {
      body.destroy();
      return Promise.resolve();
    },
  };
}

async function apiErrors<R>(call: Call, signal: AbortSignal | undefined, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    const reason = signal?.aborted === true ? 'Aborted' : passingReason(error);
    if (reason === undefined || error instanceof ApiError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new PlainApiError(new ApiError({ ...call, reason, message, cause: error }), message);
  }
}

function passingReason(error: unknown): string | undefined {
  if (error instanceof SilentAnswer) return 'Silent';
  return error instanceof UnreachableServer || isCut(error) ? 'Unreachable' : undefined;
}

const mostRefusalBytes = 64 * 1024;
