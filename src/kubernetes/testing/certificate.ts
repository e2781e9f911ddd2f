import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type Certificate = { readonly cert: string; readonly key: string };

/** A self-signed certificate for 127.0.0.1, made for one test run; `env` is that of openssl. */
export async function selfSigned(env = process.env): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), 'podcap-certificate-'));
  try {
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const keyKind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const subject = ['-subj', '/CN=podcap-test', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const args = ['req', '-x509', ...keyKind, ...subject, '-keyout', key, '-out', cert];
    await promisify(execFile)('openssl', args, { env });
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}
