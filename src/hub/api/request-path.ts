import { apiGroup, apiVersion } from '../../api/capture.ts';
import type { CaptureName } from '../captures/captures.ts';
import { type StatusError, statusError } from './status-error.ts';
import type { Subresource } from './subresource-handler.ts';

/** What a path names. Namespaces and names are valid ones of Kubernetes. */
export type RequestPath =
  | { readonly kind: FixedPath }
  /** Undefined: of all namespaces. */
  | { readonly kind: 'captures'; readonly namespace: string | undefined }
  | { readonly kind: 'capture'; readonly capture: CaptureName }
  | { readonly kind: 'subresource'; readonly capture: CaptureName; readonly subresource: Subresource };

type FixedPath = (typeof fixedPaths)[keyof typeof fixedPaths];

const fixedPaths = {
  '/apis': 'groups',
  [`/apis/${apiGroup}`]: 'group',
  [`/apis/${apiVersion}`]: 'resources',
  '/openapi/v3': 'openApiRoot',
  [`/openapi/v3/apis/${apiVersion}`]: 'openApiDocument',
  '/version': 'version',
  '/healthz': 'health',
  '/livez': 'health',
  '/readyz': 'readiness',
} as const satisfies Record<string, string>;

/** The longest valid path has 444 characters; encoded, each may take three. */
const longestPathBytes = 2_048;

/**
 * Parses the path of a request as it was sent, without its query. The only place that does: what was authorized is what
 * is served, because both are this result. kube-apiserver forwards `.`, `..` and encoded slashes as they are, so nothing
 * is resolved or cleaned here, and what is not exactly a path of this API is refused.
 */
export function parsePath(raw: string): RequestPath | StatusError {
  if (raw.length > longestPathBytes)
    return statusError('BadRequest', `the path is longer than ${longestPathBytes} bytes`);
  const [first, ...rest] = raw.split('/');
  if (first !== '') return unsafe('it does not begin with a slash');
  const segments: string[] = [];
  for (const each of rest) {
    const segment = decodedSegment(each);
    if (typeof segment !== 'string') return segment;
    segments.push(segment);
  }
  const fixed = fixedPath(`/${segments.join('/')}`);
  if (fixed) return { kind: fixed };
  return resourcePath(segments) ?? statusError('NotFound', unknownPath);
}

/** The path, as a client sends it. */
export function pathText(path: Exclude<RequestPath, { readonly kind: FixedPath }>): string {
  const root = `/apis/${apiVersion}`;
  switch (path.kind) {
    case 'captures':
      return path.namespace === undefined
        ? `${root}/captures`
        : `${root}/namespaces/${path.namespace}/captures`;
    case 'capture':
      return captureText(root, path.capture);
    case 'subresource':
      return `${captureText(root, path.capture)}/${path.subresource}`;
  }
}

const unknownPath = `the hub of Podcap serves no such path; it serves captures, captures/log and captures/attach of ${apiVersion}`;

function captureText(root: string, { namespace, name }: CaptureName): string {
  return `${root}/namespaces/${namespace}/captures/${name}`;
}

function decodedSegment(raw: string): string | StatusError {
  let segment: string;
  try {
    segment = decodeURIComponent(raw);
  } catch {
    return unsafe('a part of it is not URL-encoded UTF-8 text');
  }
  if (segment === '') return unsafe('a part of it is empty');
  if (segment === '.' || segment === '..') return unsafe('it has a part "." or ".."');
  if (/[/\\]|\p{Cc}/u.test(segment)) return unsafe('a part of it has a slash or a control character');
  return segment;
}

function unsafe(why: string): StatusError {
  return statusError('BadRequest', `the path is refused: ${why}`);
}

function fixedPath(path: string): FixedPath | undefined {
  return Object.entries(fixedPaths).find(([known]) => known === path)?.[1];
}

function resourcePath(segments: readonly string[]): RequestPath | StatusError | undefined {
  const [apis, group, version, ...rest] = segments;
  if (apis !== 'apis' || `${group}/${version}` !== apiVersion) return undefined;
  if (rest.length === 1 && rest[0] === 'captures') return { kind: 'captures', namespace: undefined };
  const [namespaces, namespace, captures, name, subresource, ...more] = rest;
  if (namespaces !== 'namespaces' || captures !== 'captures' || more.length > 0) return undefined;
  if (namespace === undefined || !isNamespace(namespace)) {
    return statusError('NotFound', 'no namespace can have the name in the path');
  }
  if (name === undefined) return { kind: 'captures', namespace };
  if (!isCaptureName(name)) return statusError('NotFound', 'no Pod can have the name in the path');
  const capture = { namespace, name };
  if (subresource === undefined) return { kind: 'capture', capture };
  return isSubresource(subresource) ? { kind: 'subresource', capture, subresource } : undefined;
}

function isSubresource(text: string): text is Subresource {
  return text === 'log' || text === 'attach';
}

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const labelPattern = new RegExp(`^${label}$`);
const subdomainPattern = new RegExp(`^${label}([.]${label})*$`);

/** A DNS-1123 label, as the name of a namespace is. */
export function isNamespace(text: string): boolean {
  return text.length <= 63 && labelPattern.test(text);
}

/** A DNS-1123 subdomain, as the name of a Pod is. */
export function isCaptureName(text: string): boolean {
  return text.length <= 253 && subdomainPattern.test(text);
}
