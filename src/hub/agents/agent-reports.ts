import { rateLimiter } from '../../base/rate-limiter.ts';
import { abortableSleep } from '../../kubernetes/abortable-sleep.ts';
import type { Log } from '../../kubernetes/logger.ts';
import { lines } from '../../kubernetes/split-lines.ts';
import { linkBounds, linkPaths, type ReportLine } from '../../link/protocol.ts';
import { type AgentLink, AgentUnavailable } from './agent-link.ts';
import { parseReportLine } from './report-line.ts';

/** Takes what the agents report. Implemented in captures/reported-captures.ts. */
export type ReceiveReports = (link: AgentLink) => ReportReceiver;

export type ReportReceiver = {
  /** `bytes`: of the line, as the bounds count them. */
  readonly receive: (line: ReportLine, bytes: number) => void;
  /** The link has ended. */
  readonly disconnected: () => void;
};

export type ReportReading = {
  readonly link: AgentLink;
  readonly receiver: ReportReceiver;
  readonly onMalformed: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/** An agent of another version can have lines that this hub does not understand; one that has only such is none. */
const mostMalformedLines = 100;
/** All of a Node's recordings at once, and then more changes than a Node has. */
const lineRate = { burst: linkBounds.recordings * 2, everyMs: 10 } as const;
/** What a Node has to say, twice at once, and then a quarter of a MiB each second: lines can be empty, or long. */
const blockBytes = 16 * 1024;
const blockRate = { burst: (linkBounds.reportBytes * 2) / blockBytes, everyMs: 64 } as const;
const headMs = 15_000;

/** Reads the reports of an agent until they end. Returns why; throws the signal's reason. */
export async function readReports({
  link,
  receiver,
  onMalformed,
  log,
  signal,
}: ReportReading): Promise<string> {
  const limiter = rateLimiter(lineRate);
  let malformed = 0;
  try {
    const request = { method: 'GET', path: linkPaths.reports, signal, responseMs: headMs } as const;
    const { status, body } = await link.request(request);
    if (status !== 200) {
      body.destroy();
      return `ReportsRefused: status ${status}`;
    }
    for await (const line of lines(paced(body, signal), linkBounds.lineBytes)) {
      await abortableSleepUntilFree(limiter.waitMs(), signal);
      limiter.take();
      const report = parseReportLine(line);
      if (report) {
        receiver.receive(report, line.length);
        continue;
      }
      malformed += 1;
      onMalformed();
      if (malformed === 1) log.warn({ node: link.node, agent: link.podName }, 'skipped a malformed report');
      if (malformed > mostMalformedLines) return 'MalformedReports';
    }
    return 'ReportsEnded';
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AgentUnavailable) return `ReportsCut: ${error.message}`;
    return `MalformedReports: ${String(error)}`;
  }
}

/** The chunks, no faster than the rate: an agent that sends more waits, and costs nothing meanwhile. */
async function* paced(body: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  const limiter = rateLimiter(blockRate);
  let bytes = 0;
  for await (const chunk of body) {
    for (bytes += chunk.length; bytes >= blockBytes; bytes -= blockBytes) {
      await abortableSleepUntilFree(limiter.waitMs(), signal);
      limiter.take();
    }
    yield chunk;
  }
}

async function abortableSleepUntilFree(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await abortableSleep(ms, signal);
  signal.throwIfAborted();
}
