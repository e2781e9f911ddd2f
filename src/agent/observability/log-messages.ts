import type { Logger } from 'pino';
import type { CaptureReport, StatusListener } from './capture-status.ts';

/** Writes a log line for each report about a Pod's capture: a constant message, with the Pod and the details as fields. */
export function reportByLog(log: Logger): StatusListener {
  return ({ namespace, name, uid }, status) => {
    const { kind, ...details } = status;
    const fields = { namespace, pod: name, uid, ...details };
    log[isWarning(kind) ? 'warn' : 'info'](fields, logMessageOf(status));
  };
}

function logMessageOf(status: CaptureReport): string {
  const isSettled =
    status.kind === 'capturing' && status.missedBefore.kind === 'gap' && status.missedBefore.isSettled;
  return isSettled ? 'gap before the capture is known' : logMessages[status.kind];
}

/** The messages about captures; other log lines have theirs where they are written. */
const logMessages: Readonly<Record<CaptureReport['kind'], string>> = {
  waiting: 'waiting for the Pod network',
  capturing: 'capture started',
  interfaceDown: 'capture interface is down',
  interfaceRenamed: 'capture interface was renamed',
  warning: 'tcpdump printed a warning',
  failed: 'capture failed',
  frozen: 'ring frozen',
  notFrozen: 'ring not frozen',
  refused: 'capture refused',
  paused: 'capture paused',
  stopped: 'capture stopped',
  deleted: 'captures deleted',
};

function isWarning(kind: CaptureReport['kind']): boolean {
  return ['failed', 'warning', 'refused', 'interfaceDown', 'interfaceRenamed'].includes(kind);
}
