import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type Certificate = { readonly cert: string; readonly key: string };

/** A certificate authority of one test run. */
export type Authority = {
  readonly cert: string;
  /** A certificate for 127.0.0.1, and for that DNS name, that is valid for this use only. */
  readonly sign: (
    use: 'server' | 'client',
    options?: { readonly days?: number; readonly name?: string; readonly dnsName?: string },
  ) => Promise<Certificate>;
  /** An authority of that name whose certificate this one has signed. */
  readonly delegate: (name: string) => Promise<Authority>;
};

/** A self-signed certificate for 127.0.0.1; `env` is the environment of openssl. */
export async function selfSigned(env = process.env): Promise<Certificate> {
  return await certificate({ name: 'podcap-test', extensions: [address], days: 30, env });
}

/** Makes a certificate authority of that name, with more extensions as openssl names them. */
export async function authority(name: string, more: readonly string[] = []): Promise<Authority> {
  const extensions = [isAuthority, ...more];
  return authorityOf(name, await certificate({ name, extensions }));
}

const isAuthority = 'basicConstraints=critical,CA:TRUE';

function authorityOf(name: string, own: Certificate): Authority {
  return {
    cert: own.cert,
    async sign(use, { days = 1, name: subject = `${name} ${use}`, dnsName } = {}) {
      const names = dnsName === undefined ? address : `${address},DNS:${dnsName}`;
      const extensions = [names, `extendedKeyUsage=${use}Auth`];
      return await certificate({ name: subject, extensions, signer: own, days });
    },
    delegate: async (delegated) =>
      authorityOf(delegated, await certificate({ name: delegated, extensions: [isAuthority], signer: own })),
  };
}

type CertificateOptions = {
  readonly name: string;
  readonly extensions: readonly string[];
  readonly signer?: Certificate;
  readonly days?: number;
  readonly env?: NodeJS.ProcessEnv;
};

const address = 'subjectAltName=IP:127.0.0.1';

async function certificate(options: CertificateOptions): Promise<Certificate> {
  const { name, extensions, signer, days = 1, env = process.env } = options;
  const openssl = async (...args: readonly string[]) =>
    void (await promisify(execFile)('openssl', args, { env }));
  const folder = await mkdtemp(join(tmpdir(), 'podcap-certificate-'));
  const file = (part: string) => join(folder, part);
  try {
    const keyKind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await openssl(
      'req',
      '-new',
      ...keyKind,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      file('key'),
      '-out',
      file('csr'),
    );
    await writeFile(file('extensions'), extensions.join('\n'));
    await writeFile(file('ca.crt'), signer?.cert ?? '');
    await writeFile(file('ca.key'), signer?.key ?? '');
    const by = signer ? ['-CA', file('ca.crt'), '-CAkey', file('ca.key')] : ['-signkey', file('key')];
    const what = ['-in', file('csr'), '-out', file('cert'), '-extfile', file('extensions')];
    await openssl('x509', '-req', ...what, ...by, '-days', `${days}`, '-set_serial', `${serial()}`);
    return { cert: await readFile(file('cert'), 'utf8'), key: await readFile(file('key'), 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function serial(): bigint {
  return randomBytes(8).readBigUInt64BE() >> 1n;
}
