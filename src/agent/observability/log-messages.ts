import type { Logger } from 'pino';
import type { CaptureStatus, StatusListener } from './capture-status.ts';

/** Writes a log line for each status of a Pod's capture: a constant message, with the Pod and the details as fields. */
export function reportByLog(log: Logger): StatusListener {
  return ({ namespace, name, uid }, { kind, ...details }) => {
    const fields = { namespace, pod: name, uid, ...details };
    log[isWarning(kind) ? 'warn' : 'info'](fields, logMessages[kind]);
  };
}

/** The messages about captures; other log lines have theirs where they are written. */
const logMessages: Readonly<Record<CaptureStatus['kind'], string>> = {
  waiting: 'waiting for the Pod network',
  capturing: 'capture started',
  interfaceDown: 'capture interface is down',
  interfaceRenamed: 'capture interface was renamed',
  failed: 'capture failed',
  refused: 'capture refused',
  stopped: 'capture stopped',
  deleted: 'captures deleted',
};

function isWarning(kind: CaptureStatus['kind']): boolean {
  return ['failed', 'refused', 'interfaceDown', 'interfaceRenamed'].includes(kind);
}
