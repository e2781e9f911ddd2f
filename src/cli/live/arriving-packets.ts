import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import { interfaceKey } from '../../pcap/merge/written-interfaces.ts';
import type { CurrentPacket } from '../../pcap/packet-reader.ts';
import { copiedPacket } from './live-packet.ts';
import type { LivePod } from './live-taps.ts';
import type { PacketOrder } from './packet-order.ts';

/** Puts packets where they wait. What there is no space for is counted at the next packet of its interface. */
export function arrivingPackets(
  order: Pick<PacketOrder, 'add'>,
  onNoSpace: () => void,
): (pod: LivePod, packet: CurrentPacket, description: CaptureInterface) => void {
  const missing = new Map<string, number>();
  return ({ key }, packet, description) => {
    const missingKey = missing.size === 0 ? '' : interfaceKey(description);
    const missingBefore = missing.get(missingKey) ?? 0;
    const live = { pod: key, packet: copiedPacket(packet), description, missingBefore };
    if (order.add(live, performance.now())) {
      if (missingBefore > 0) missing.delete(missingKey);
      return;
    }
    onNoSpace();
    missing.set(interfaceKey(description), missingBefore + 1);
  };
}
