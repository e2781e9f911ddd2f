import { type AgentResponse, AgentUnavailable } from './agent-link.ts';

export type TextBounds = { readonly mostBytes: number; readonly withinMs: number };

/** The whole body of an agent's answer as text. Throws an AgentUnavailable if it is larger or takes longer. */
export async function readAnswerText(
  { body }: Pick<AgentResponse, 'body'>,
  { mostBytes, withinMs }: TextBounds,
): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(
    () => body.destroy(new AgentUnavailable(`the answer takes longer than ${withinMs} ms`)),
    withinMs,
  );
  try {
    for await (const part of body) {
      if (!Buffer.isBuffer(part)) continue;
      bytes += part.length;
      if (bytes > mostBytes) throw new AgentUnavailable(`the answer is longer than ${mostBytes} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts).toString('utf8');
  } finally {
    clearTimeout(timer);
  }
}
