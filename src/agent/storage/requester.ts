import { join } from 'node:path';
import * as v from 'valibot';
import { readAgentFile } from './agent-files.ts';
import { requesterName } from './file-names.ts';
import { replaceFile } from './replace-file.ts';

/** Who asks for the capture of a Pod: a CapturePolicy, or undefined for the Pod's annotation. */
export type Requester = { readonly policy: string | undefined };

/** Without that file, the annotation has asked. */
const requesterSchema = v.object({ policy: v.exactOptional(v.string()) });

/** Who asked last for what is in a Pod's folder: the rules for its files depend on it. */
export async function readRequester(folder: string): Promise<Requester> {
  const text = await readAgentFile(folder, requesterName);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), requesterSchema), text);
  return { policy: parsed.success ? parsed.output.policy : undefined };
}

/** Replaces it by rename. Throws what a full disk says. */
export async function writeRequester(folder: string, { policy }: Requester): Promise<void> {
  await replaceFile(
    join(folder, requesterName),
    `${JSON.stringify(policy === undefined ? {} : { policy })}\n`,
  );
}
