import { apiVersion } from '../../api/capture.ts';

/** A path of the API, with its segments and its query encoded. Parameters without a value are left out. */
export function apiPath(
  segments: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  return withQuery(segments.map((segment) => `/${encodeURIComponent(segment)}`).join(''), query);
}

/** A path with a query; parameters without a value are left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? path : `${path}?${given.join('&')}`;
}

/** The segments of the path of captures: of a namespace, or of all. */
export function capturesSegments(namespace: string | undefined): readonly string[] {
  return ['apis', ...apiVersion.split('/'), ...inNamespace(namespace), 'captures'];
}

/** namespaces/NAME, or nothing for all namespaces. */
export function inNamespace(namespace: string | undefined): readonly string[] {
  return namespace === undefined ? [] : ['namespaces', namespace];
}

/**
 * The paths that a command needs, for `openCluster`: regular expressions of whole paths, for any namespace and name, as
 * those are known only later.
 */
export const acceptedPaths = {
  captures: `/apis/podcap[.]dev/v1alpha1(/namespaces/[^/]+)?/captures`,
  capture: `/apis/podcap[.]dev/v1alpha1/namespaces/[^/]+/captures/[^/]+`,
  recordings: `/apis/podcap[.]dev/v1alpha1/namespaces/[^/]+/captures/[^/]+/log`,
  taps: `/apis/podcap[.]dev/v1alpha1/namespaces/[^/]+/captures/[^/]+/attach`,
  policies: `/apis/policy[.]podcap[.]dev/v1alpha1(/namespaces/[^/]+)?/capturepolicies(/[^/]+)?`,
  pods: `/api/v1/namespaces/[^/]+/pods(/[^/]+)?`,
  /** What `resolveTargets` and `watchTargets` need besides Pods. */
  workloads: `/apis/(apps|batch)/v1/namespaces/[^/]+/(deployments|statefulsets|daemonsets|replicasets|jobs)(/[^/]+)?`,
  /** What `missingNamespace` needs: of all commands. */
  namespace: `/api/v1/namespaces/[^/]+`,
  accessReviews: `/apis/authorization[.]k8s[.]io/v1/selfsubjectaccessreviews`,
} as const;
