import { ValiError } from 'valibot';
import { ApiError } from '../../kubernetes/api-error.ts';

/** Whether an error means that the API server has not answered what it was asked, in time and as it should. */
export function isNoAnswer(error: unknown): error is Error {
  return (
    error instanceof ApiError ||
    error instanceof ValiError ||
    (error instanceof DOMException && ['AbortError', 'TimeoutError'].includes(error.name))
  );
}
