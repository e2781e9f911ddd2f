import { apiGroup, apiVersion } from '../../api/capture.ts';
import { acceptedRanges, includesJson } from './accept-header.ts';

/** A document that does not change while the hub runs. */
export type StaticDocument = { readonly contentType: string; readonly body: object };

const version = apiVersion.slice(apiGroup.length + 1);

/** What is read and written; DELETE works without being listed, which would make namespace deletion wait for captures. */
const verbs = ['get', 'list', 'watch'] as const;
const subresources = ['log', 'attach'] as const;

const groupVersion = { groupVersion: apiVersion, version };
const group = { name: apiGroup, versions: [groupVersion], preferredVersion: groupVersion };

/** `/apis/podcap.dev`. */
export const groupDocument: StaticDocument = {
  contentType: 'application/json',
  body: { kind: 'APIGroup', apiVersion: 'v1', ...group },
};

/** `/apis/podcap.dev/v1alpha1`. */
export const resourcesDocument: StaticDocument = {
  contentType: 'application/json',
  body: {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersion,
    resources: [
      {
        name: 'captures',
        singularName: 'capture',
        namespaced: true,
        kind: 'Capture',
        verbs,
        shortNames: ['cap'],
      },
      ...subresources.map((name) => ({
        name: `captures/${name}`,
        singularName: '',
        namespaced: true,
        kind: 'Capture',
        verbs: ['get'],
      })),
    ],
  },
};

/** `/apis`, in the form that the client prefers; undefined: in none of them. */
export function groupsDocument(accept: string | undefined): StaticDocument | undefined {
  for (const range of acceptedRanges(accept) ?? []) {
    if (!includesJson(range)) continue;
    const as = range.parameters.get('as');
    if (as === undefined) return plainGroups;
    const isDiscovery = as === 'APIGroupDiscoveryList' && range.parameters.get('g') === 'apidiscovery.k8s.io';
    const found = aggregated.find((each) => isDiscovery && each.version === range.parameters.get('v'));
    if (found) return found.document;
  }
  return undefined;
}

const plainGroups: StaticDocument = {
  contentType: 'application/json',
  body: { kind: 'APIGroupList', apiVersion: 'v1', groups: [group] },
};

const responseKind = { group: apiGroup, version, kind: 'Capture' };

/** Both versions have the same fields. */
const aggregated = ['v2', 'v2beta1'].map((discovery) => ({
  version: discovery,
  document: {
    // kube-aggregator compares it letter for letter with what it asked for.
    contentType: `application/json;g=apidiscovery.k8s.io;v=${discovery};as=APIGroupDiscoveryList`,
    body: {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${discovery}`,
      metadata: {},
      items: [
        {
          metadata: { name: apiGroup, creationTimestamp: null },
          versions: [
            {
              version,
              freshness: 'Current',
              resources: [
                {
                  resource: 'captures',
                  responseKind,
                  scope: 'Namespaced',
                  singularResource: 'capture',
                  verbs,
                  shortNames: ['cap'],
                  subresources: subresources.map((subresource) => ({
                    subresource,
                    responseKind,
                    verbs: ['get'],
                  })),
                },
              ],
            },
          ],
        },
      ],
    },
  },
}));
