import type { ByteSpan } from './decoded-packet.ts';
import { u8, u16 } from './network-bytes.ts';

/** What a ClientHello or ServerHello says, as far as it was captured. All positions are positions in the buffer. */
export type Hello = {
  /** Where the version field is. */
  readonly version: number;
  /** Where the chosen cipher suite is; of a ClientHello, where the first one offered is. */
  readonly cipher: number | undefined;
  readonly serverName: ByteSpan | undefined;
  /** Application protocols. */
  readonly alpn: readonly ByteSpan[];
  /** Where the versions of the extension supported_versions are. */
  readonly versions: readonly number[];
};

export type HelloKind = 'client' | 'server';

/** More than this nobody offers; the rest is not shown. */
const maxExtensions = 64;
const maxListed = 16;

/** IANA: TLS ExtensionType values. */
const serverNameType = 0;
const alpnType = 16;
const versionsType = 43;

/**
 * RFC 8446, sections 4.1.2 and 4.1.3: version, 32 random bytes, session ID; then the client's cipher suites and
 * compression methods, one each from the server; then extensions. `from` is behind the handshake header.
 */
export function helloAt(bytes: Uint8Array, { from, to }: ByteSpan, kind: HelloKind): Hello | undefined {
  const sessionAt = from + 34;
  if (sessionAt >= to) return undefined;
  const sessionEnd = sessionAt + 1 + u8(bytes, sessionAt);
  const cipher = kind === 'client' ? sessionEnd + 2 : sessionEnd;
  const extensionsAt = kind === 'client' ? extensionsOfClient(bytes, sessionEnd, to) : sessionEnd + 3;
  const extensions = extensionsIn(bytes, { from: extensionsAt + 2, to });
  const serverName = extensions.find(({ type }) => type === serverNameType);
  const alpn = extensions.find(({ type }) => type === alpnType);
  const versions = extensions.find(({ type }) => type === versionsType);
  return {
    version: from,
    cipher: cipher + 2 <= to ? cipher : undefined,
    serverName: serverName && serverNameIn(bytes, serverName),
    alpn: alpn ? protocolsIn(bytes, alpn) : [],
    versions: versions ? versionsIn(bytes, versions, kind) : [],
  };
}

/** Behind the cipher suites and the compression methods; not before `to` if they are not whole. */
function extensionsOfClient(bytes: Uint8Array, at: number, to: number): number {
  if (at + 2 > to) return to;
  const compressionAt = at + 2 + u16(bytes, at);
  return compressionAt + 1 > to ? to : compressionAt + 1 + u8(bytes, compressionAt);
}

type Extension = ByteSpan & { readonly type: number };

/** A type, a length and data each. The last may be cut off. */
function extensionsIn(bytes: Uint8Array, { from, to }: ByteSpan): readonly Extension[] {
  const extensions: Extension[] = [];
  for (let at = from; at + 4 <= to && extensions.length < maxExtensions; ) {
    const end = at + 4 + u16(bytes, at + 2);
    extensions.push({ type: u16(bytes, at), from: at + 4, to: Math.min(end, to) });
    at = end;
  }
  return extensions;
}

/** RFC 6066, section 3: a list, of which only the first entry is used: type 0 (a host name), length and name. */
function serverNameIn(bytes: Uint8Array, { from, to }: ByteSpan): ByteSpan | undefined {
  if (from + 5 > to || u8(bytes, from + 2) !== 0) return undefined;
  return { from: from + 5, to: Math.min(from + 5 + u16(bytes, from + 3), to) };
}

/** RFC 7301, section 3.1: names with a length of one byte each. */
function protocolsIn(bytes: Uint8Array, { from, to }: ByteSpan): readonly ByteSpan[] {
  const protocols: ByteSpan[] = [];
  for (let at = from + 2; at < to && protocols.length < maxListed; ) {
    const end = at + 1 + u8(bytes, at);
    if (end > to) break;
    protocols.push({ from: at + 1, to: end });
    at = end;
  }
  return protocols;
}

/** RFC 8446, section 4.2.1: the client sends a list whose length has one byte, the server one version. */
function versionsIn(bytes: Uint8Array, { from, to }: ByteSpan, kind: HelloKind): readonly number[] {
  const first = kind === 'client' ? from + 1 : from;
  const end = kind === 'client' && from < to ? Math.min(to, first + u8(bytes, from)) : to;
  const count = Math.min(Math.max(end - first, 0) >> 1, maxListed);
  return Array.from({ length: count }, (_, i) => first + i * 2);
}
