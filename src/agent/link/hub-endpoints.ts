import { isIP } from 'node:net';
import * as v from 'valibot';
import type { Change, ParsedObject } from '../../kubernetes/list-watch.ts';
import type { HubAddress } from './link-handler.ts';

/** One address of the hub. */
export type HubEndpoint = HubAddress & {
  /** Its Pod is being deleted: a link to it stays while it lasts, and is not dialled again. */
  readonly isTerminating: boolean;
};

/** The part of an EndpointSlice that the agent needs. */
export type HubEndpointSlice = { readonly name: string; readonly endpoints: readonly HubEndpoint[] };

/** By the names of the slices. */
export type HubEndpointSlices = ReadonlyMap<string, HubEndpointSlice>;

/** The name of the port of the Service. */
const linkPortName = 'link';

/** A hub has two replicas: more than this are not dialled, whatever the slices say. */
const mostHubs = 16;

/** The slices after a change. */
export function slicesAfter(slices: HubEndpointSlices, change: Change<HubEndpointSlice>): HubEndpointSlices {
  if (change.kind === 'listed') return new Map(change.items.map((slice) => [slice.name, slice]));
  const next = new Map(slices);
  if (change.kind === 'applied') next.set(change.object.name, change.object);
  else next.delete(change.object.name);
  return next;
}

/** The addresses in all slices, each once. A slice that moves can have it twice: then the Pod that goes on counts. */
export function hubEndpoints(slices: HubEndpointSlices): ReadonlyMap<string, HubEndpoint> {
  const endpoints = new Map<string, HubEndpoint>();
  for (const endpoint of [...slices.values()].flatMap((slice) => slice.endpoints)) {
    const key = endpointKey(endpoint);
    const isNew = !endpoints.has(key) && endpoints.size < mostHubs;
    if (isNew || (endpoints.has(key) && !endpoint.isTerminating)) endpoints.set(key, endpoint);
  }
  return endpoints;
}

function endpointKey({ address, port }: HubAddress): string {
  return `${address} ${port}`;
}

/** Reads an EndpointSlice; ready or not, because a hub is ready only once agents are connected. */
export function parseEndpointSlice(object: unknown): ParsedObject<HubEndpointSlice> {
  const parsed = v.safeParse(sliceSchema, object);
  if (!parsed.success) return { kind: 'invalid', problem: v.summarize(parsed.issues) };
  const { metadata, ports, endpoints } = parsed.output;
  const port = ports?.find(({ name }) => name === linkPortName)?.port ?? undefined;
  return {
    kind: 'valid',
    object: {
      name: metadata.name,
      endpoints:
        port === undefined
          ? []
          : (endpoints ?? []).flatMap(({ addresses: [address], conditions }) =>
              address !== undefined && isIP(address) !== 0
                ? { address, port, isTerminating: conditions?.terminating === true }
                : [],
            ),
    },
  };
}

const sliceSchema = v.object({
  metadata: v.object({ name: v.string() }),
  ports: v.nullish(
    v.array(v.object({ name: v.nullish(v.string()), port: v.nullish(v.pipe(v.number(), v.integer())) })),
  ),
  endpoints: v.nullish(
    v.array(
      v.object({
        addresses: v.array(v.string()),
        conditions: v.nullish(v.object({ terminating: v.nullish(v.boolean()) })),
      }),
    ),
  ),
});
