import type { ClientHttp2Stream } from 'node:http2';
import * as v from 'valibot';
import { until } from '../../../base/until.ts';
import { type ReportedRecording, type ReportLine, reportLineSchema } from '../../../link/protocol.ts';
import type { TestHubLink } from './test-hub.ts';

/** The reports that a link brings, as they arrive. */
export type FollowedReports = {
  readonly lines: readonly ReportLine[];
  /** What is known of that Pod by now; undefined before it is reported, and after it was deleted. */
  readonly of: (uid: string) => ReportedRecording | undefined;
  readonly isSynced: () => boolean;
  /** Resolves once the recording of that Pod is reported in that phase. */
  readonly inPhase: (uid: string, phase: ReportedRecording['status']['phase']) => Promise<ReportedRecording>;
  readonly isClosed: () => boolean;
};

/** Asks for the reports; throws, in a later call, if a line is none. */
export function followReports(link: TestHubLink): FollowedReports {
  return followStream(link.open('/v1/reports'));
}

/** The same on a stream that is already open and has not been read. */
export function followStream(stream: ClientHttp2Stream): FollowedReports {
  const lines: ReportLine[] = [];
  const problems: string[] = [];
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (part: string) => {
    const texts = `${rest}${part}`.split('\n');
    rest = texts.pop() ?? '';
    for (const text of texts) {
      const parsed = v.safeParse(reportLineSchema, JSON.parse(text));
      if (parsed.success) lines.push(parsed.output);
      else problems.push(v.summarize(parsed.issues));
    }
  });
  const of = (uid: string) => {
    if (problems.length > 0) throw new Error(problems.join('\n'));
    const newest = lines.findLast(
      (line) =>
        (line.kind === 'recording' && line.recording.uid === uid) ||
        (line.kind === 'deleted' && line.uid === uid),
    );
    return newest?.kind === 'recording' ? newest.recording : undefined;
  };
  return {
    lines,
    of,
    isSynced: () => lines.some(({ kind }) => kind === 'synced'),
    isClosed: () => stream.closed,
    async inPhase(uid, phase) {
      return await until(
        () => {
          const reported = of(uid);
          return reported?.status.phase === phase && reported;
        },
        { what: `${uid} to be reported as ${phase}` },
      );
    },
  };
}
