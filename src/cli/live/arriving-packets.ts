import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import { interfaceKey } from '../../pcap/merge/written-interfaces.ts';
import type { CurrentPacket } from '../../pcap/packet-reader.ts';
import { copiedPacket } from './live-packet.ts';
import type { LivePod } from './live-taps.ts';
import type { PacketOrder } from './packet-order.ts';

/** Packets for which there was no space, with none of their interface after them. */
export type LostAtEnd = { readonly description: CaptureInterface; readonly packets: number };

export type ArrivingPackets = {
  readonly add: (pod: LivePod, packet: CurrentPacket, description: CaptureInterface) => void;
  /** Those of the Pod whose tap has ended, once. */
  readonly takeLost: (pod: string) => readonly LostAtEnd[];
  /** Those of all Pods, once. */
  readonly takeAllLost: () => readonly LostAtEnd[];
};

/** Puts packets where they wait. What there is no space for is counted at the next packet of its interface. */
export function arrivingPackets(order: Pick<PacketOrder, 'add'>, onNoSpace: () => void): ArrivingPackets {
  /** Of each Pod, by the key of the interface. */
  const lost = new Map<string, Map<string, LostAtEnd>>();

  function takeLost(pod: string): readonly LostAtEnd[] {
    const some = [...(lost.get(pod)?.values() ?? [])];
    lost.delete(pod);
    return some;
  }

  return {
    add({ key: pod }, packet, description) {
      const ofPod = lost.get(pod);
      const key = ofPod === undefined ? undefined : interfaceKey(description);
      const missingBefore = key === undefined ? 0 : (ofPod?.get(key)?.packets ?? 0);
      if (order.add({ pod, packet: copiedPacket(packet), description, missingBefore }, performance.now())) {
        if (key !== undefined) ofPod?.delete(key);
        if (ofPod?.size === 0) lost.delete(pod);
        return;
      }
      onNoSpace();
      const kept = ofPod ?? new Map<string, LostAtEnd>();
      kept.set(key ?? interfaceKey(description), { description, packets: missingBefore + 1 });
      lost.set(pod, kept);
    },
    takeLost,
    takeAllLost: () => [...lost.keys()].flatMap(takeLost),
  };
}
