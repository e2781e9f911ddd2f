import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import type { RecordingRequest, TapRequest } from './capture-stream.ts';

/** A Node said that an interface is not one of the Pod it was asked for. */
export type ForeignInterface = {
  /** As the Node calls it. */
  readonly name: string;
  readonly shownAs: string;
};

/**
 * The interfaces of a stream, as they are shown: those of the Pod that was asked for. A Node could otherwise pass packets
 * off as those of a Pod of another Node. `onForeign` is told of the first one that is called otherwise.
 */
export function ownInterfaces(
  { namespace, pod }: Pick<RecordingRequest | TapRequest, 'namespace' | 'pod'>,
  onForeign: (foreign: ForeignInterface) => void,
): (described: CaptureInterface) => CaptureInterface {
  const prefix = `${namespace}/${pod}/`;
  const renamed = new WeakMap<CaptureInterface, CaptureInterface>();
  let isTold = false;
  return (described) => {
    const { name = '' } = described;
    if (name.startsWith(prefix) && !name.includes('/', prefix.length)) return described;
    const known = renamed.get(described);
    if (known) return known;
    const shownAs = `${prefix}${name === '' ? 'unnamed' : name.replaceAll('/', ':').slice(0, mostNameLength)}`;
    const own = { ...described, name: shownAs };
    renamed.set(described, own);
    if (!isTold) onForeign({ name, shownAs });
    isTold = true;
    return own;
  };
}

/** In UTF-16 units. */
const mostNameLength = 200;

/** For people. */
export function foreignText(pod: string, { name, shownAs }: ForeignInterface): string {
  const called = name === '' ? 'without a name' : `called ${name.slice(0, mostNameLength)}`;
  return `the Node of ${pod} sends packets of an interface ${called}, which is none of ${pod}: it is shown as ${shownAs}`;
}
