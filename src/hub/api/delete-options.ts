import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { nodeNameRule } from '../agents/node-names.ts';
import { type QueryParameters, quotedValue } from './query-parameters.ts';
import { isStatusError, type StatusError, statusError } from './status-error.ts';

/** What a DELETE asks for. */
export type DeleteOptions = {
  /** Of the capture or of a recording; undefined: whatever is there. */
  readonly uid: string | undefined;
  /** Only the recordings of this Node. */
  readonly node: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly isDryRun: boolean;
};

/** kubectl sends 80 bytes. */
const deleteBodyBytes = 16 * 1024;

/** Of DeleteOptions, what concerns a capture: it has no finalizers and no dependents, and ends at once. */
const bodySchema = v.object({
  kind: v.optional(v.literal('DeleteOptions')),
  preconditions: v.nullish(
    v.object({
      uid: v.nullish(v.pipe(v.string(), v.maxLength(64))),
      resourceVersion: v.nullish(v.pipe(v.string(), v.maxLength(20))),
    }),
  ),
  dryRun: v.nullish(v.pipe(v.array(v.string()), v.maxLength(8))),
});

/** Reads the options of a DELETE from its query and its body, if it has one. */
export async function readDeleteOptions(
  request: IncomingMessage,
  query: QueryParameters,
): Promise<DeleteOptions | StatusError> {
  const body = await readBody(request);
  if (isStatusError(body)) return body;
  const dryRun = [...(body.dryRun ?? []), ...(query.has('dryRun') ? [query.get('dryRun') ?? ''] : [])];
  if (dryRun.some((each) => each !== 'All')) return statusError('BadRequest', 'dryRun must be All');
  const asked = query.get('uid');
  const node = query.get('node');
  if (node !== undefined && !nodeNameRule.pattern.test(node)) {
    const message = `node cannot be ${quotedValue(node)}: it must be ${nodeNameRule.allowed}`;
    return statusError('BadRequest', message);
  }
  const required = body.preconditions?.uid ?? undefined;
  if (asked !== undefined && required !== undefined && asked !== required) {
    return statusError('BadRequest', 'the parameter uid and preconditions.uid differ');
  }
  return {
    uid: asked ?? required,
    node,
    resourceVersion: body.preconditions?.resourceVersion ?? undefined,
    isDryRun: dryRun.length > 0,
  };
}

async function readBody(request: IncomingMessage): Promise<v.InferOutput<typeof bodySchema> | StatusError> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    if (!Buffer.isBuffer(part)) continue;
    bytes += part.length;
    // Read to its end, for as long as a request may take: whoever leaves a body unread cannot answer.
    if (bytes <= deleteBodyBytes) parts.push(part);
  }
  if (bytes > deleteBodyBytes) {
    return statusError('RequestEntityTooLarge', `the body is longer than ${deleteBodyBytes} bytes`);
  }
  const text = Buffer.concat(parts).toString('utf8');
  if (text.trim() === '') return {};
  const type = (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim();
  if (type !== 'application/json') {
    return statusError('UnsupportedMediaType', 'the body must be DeleteOptions as application/json');
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), bodySchema), text);
  return parsed.success ? parsed.output : statusError('BadRequest', 'the body must be DeleteOptions as JSON');
}
