import { hasCode } from '../../base/fs-errors.ts';

/** Whether an error of reading an answer says that its connection was cut. */
export function isCut(error: unknown): error is Error {
  return ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].some((code) => hasCode(error, code));
}
