import type { ServerHttp2Stream } from 'node:http2';
import * as v from 'valibot';
import { captureFileMediaType } from '../../src/api/stream-frames.ts';
import { connectTestAgent } from '../../src/hub/testing/test-agent.ts';
import { respondUntilComplete } from '../../src/link/complete-answer.ts';
import { linkPaths, linkPing, type ReportLine } from '../../src/link/protocol.ts';

/**
 * An agent that has nothing but constant bytes, and one recording that it says they are: what the path through the hub
 * carries at most. Prints a line once every hub has welcomed it, and serves until it is killed.
 */
async function main(): Promise<void> {
  const { hubs, ca, serverName, token, bytes, recording } = v.parse(
    startSchema,
    JSON.parse(process.argv[2] ?? ''),
  );
  const handlers = { [linkPaths.recording]: (stream: ServerHttp2Stream) => void sendConstant(stream, bytes) };
  const recordings = [{ kind: 'recording', recording: reported(recording) }] as const;
  const options = { ca, serverName, token, recordings, handlers, pingEveryMs: linkPing.everyMs };
  const agents = await Promise.all(hubs.map((host) => connectTestAgent({ ...options, host, port: 10_251 })));
  for (const { welcome } of agents)
    if (welcome.kind === 'refused') throw new Error(`${welcome.reason}: ${welcome.message}`);
  process.stdout.write('serving\n');
}

const startSchema = v.object({
  /** The addresses of all replicas. */
  hubs: v.array(v.string()),
  ca: v.string(),
  serverName: v.string(),
  token: v.string(),
  /** Of the recording. */
  bytes: v.number(),
  recording: v.object({ namespace: v.string(), name: v.string(), uid: v.string() }),
});

function reported(
  recording: v.InferOutput<typeof startSchema>['recording'],
): Extract<ReportLine, { kind: 'recording' }>['recording'] {
  const now = new Date().toISOString();
  const status = { phase: 'Capturing', phaseSince: now, startTime: now, files: 1, bytes: 1 } as const;
  return { ...recording, status: { ...status, interfaces: ['eth0'], requestedBy: { kind: 'Annotation' } } };
}

const chunk = Buffer.alloc(256 * 1024, 7);

async function sendConstant(stream: ServerHttp2Stream, bytes: number): Promise<void> {
  respondUntilComplete(stream, { ':status': 200, 'content-type': captureFileMediaType });
  for (let left = bytes; left > 0 && !stream.destroyed; left -= chunk.length) {
    const part = chunk.subarray(0, Math.min(left, chunk.length));
    await new Promise<void>((resolve) => {
      stream.once('close', resolve);
      stream.write(part, () => {
        stream.off('close', resolve);
        resolve();
      });
    });
  }
  stream.end();
}

void main();
