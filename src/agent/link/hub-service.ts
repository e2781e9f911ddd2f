/** The headless Service of the hub, whose endpoints the agent dials. */
export type HubService = { readonly namespace: string; readonly name: string };

/** What belongs to a hub, by the names that its chart gives. */
export type HubNames = {
  readonly namespace: string;
  /** The Service whose EndpointSlices have the hub's addresses. */
  readonly service: string;
  /** The ConfigMap of the certificate authority, in its key ca.crt. */
  readonly caConfigMap: string;
  /** Whose certificate every replica must have. */
  readonly tlsServerName: string;
};

/** The headless Service `podcap-hub-link` belongs to the hub `podcap-hub`: everything else is named after that. */
export function hubNames({ namespace, name }: HubService): HubNames {
  const hub = name.replace(/-link$/, '');
  return {
    namespace,
    service: name,
    caConfigMap: `${hub}-ca`,
    tlsServerName: `${hub}.${namespace}.svc`,
  };
}
