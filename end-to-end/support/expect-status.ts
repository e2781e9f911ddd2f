import { expect } from 'vitest';
import type { CaptureAnswer } from './capture-requests.ts';

/** Expects that a request was refused with a Status object of the Kubernetes API. */
export async function expectStatus(
  answer: CaptureAnswer,
  expected: { readonly code: number; readonly reason: string; readonly message: unknown },
): Promise<void> {
  const status: unknown = JSON.parse((await answer.bytes()).toString('utf8'));
  expect({ status, http: answer.status }).toMatchObject({
    status: { kind: 'Status', apiVersion: 'v1', status: 'Failure', ...expected },
    http: expected.code,
  });
}
