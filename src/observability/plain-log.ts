import { type DestinationStream, type Logger, pino } from 'pino';
import { plainText } from '../base/plain-text.ts';

/**
 * A log: one JSON object in each line. People read it on a terminal, and annotations, tcpdump's words and the
 * names of interfaces are in it. JSON itself escapes only some of the characters that a terminal acts on.
 */
export function openPlainLog(level: string, destination: DestinationStream = pino.destination(1)): Logger {
  return pino({ level, hooks: { streamWrite: plainLine } }, destination);
}

function plainLine(line: string): string {
  return `${plainText(line.trimEnd())}\n`;
}
