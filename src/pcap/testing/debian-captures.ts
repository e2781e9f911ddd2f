import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { hasCode } from '../../base/fs-errors.ts';
import { run } from '../../testbed/run-program.ts';

/** The capture files of Debian packages, and those that are installed on this machine. */
export type DebianCaptures = {
  readonly installed: readonly string[];
  /** Of the packages of `capturePackages`. */
  readonly packaged: readonly string[];
};

/**
 * The packages of Debian 12 that ship capture files, by Debian's lists of files: pcapng of all kinds and in both byte
 * orders, nanoseconds, Netlink, cut and damaged files.
 */
const capturePackages = [
  'afl++-doc',
  'golang-github-google-gopacket-dev',
  'golang-github-gopacket-gopacket-dev',
  'libbitstring-ocaml-dev',
  'librust-netlink-packet-route-dev',
  'pathspider',
  'pcapfix',
  'pktanon',
  'python3-dpkt',
  'python3-libtrace',
  'ruby-pcaprub',
  'sip-tester',
  'tcptrace',
];

/** Downloads and unpacks the packages once, without installing them. Throws if apt cannot. */
export async function debianCaptures(): Promise<DebianCaptures> {
  const packaged = await Promise.all(capturePackages.map(unpacked));
  const installed = await Promise.all(['/usr/share', '/usr/lib'].map(captureFiles));
  return { installed: installed.flat(), packaged: packaged.flat() };
}

const cache = join(import.meta.dirname, '../../../build/debian-captures');

async function unpacked(name: string): Promise<readonly string[]> {
  const folder = join(cache, name);
  const known = await captureFiles(folder);
  if (known.length > 0) return known;
  const partial = `${folder}.partial-${process.pid}`;
  try {
    await mkdir(partial, { recursive: true });
    await download(partial, name);
    const archive = (await readdir(partial)).find((file) => file.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get download ${name} has left no package`);
    await run(['dpkg-deb', '-x', join(partial, archive), partial]);
    await decompressAll(partial);
    // The folder has its name only when it is complete. Another process may have been faster.
    await rename(partial, folder).catch(() => {});
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return await captureFiles(folder);
}

/** Decompresses the captures that are compressed with gzip: Debian compresses what the author had compressed once more. */
async function decompressAll(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true });
  for (const entry of entries.filter((name) => name.endsWith('.pcap.gz'))) {
    let bytes = await readFile(join(folder, entry));
    while (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzipSync(bytes);
    await writeFile(join(folder, entry.slice(0, -'.gz'.length)), bytes);
  }
}

/** The lists of packages may be absent, or too old. */
async function download(folder: string, name: string): Promise<void> {
  const script = 'cd "$1" && (apt-get download -q "$2" || (apt-get update -q && apt-get download -q "$2"))';
  await run(['sh', '-c', script, 'sh', folder, name]);
}

async function captureFiles(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && /\.(pcap|pcapng|cap|dmp)$/i.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
