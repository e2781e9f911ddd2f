import { readArp } from './arp.ts';
import { field } from './fields.ts';
import { readIpv4 } from './ipv4.ts';
import { readIpv6 } from './ipv6.ts';
import { hex, u8, u16 } from './network-bytes.ts';
import { readCut, readOther, type Walk } from './walk.ts';

/** Frames have one or two tags; more than this is somebody's experiment. */
export const maxTags = 8;

/** Reads what is behind a link-layer header or behind VLAN tags, whose EtherType is `type`. */
export function readEtherType(walk: Walk, at: number, type: number): void {
  let next = at;
  let etherType = type;
  while (tagTypes.has(etherType) && walk.vlans.length < maxTags) {
    if (next + 4 > walk.end) return readCut(walk, next, 'VLAN');
    etherType = readTag(walk, next);
    next += 4;
  }
  switch (etherType) {
    case 0x0800:
      return readIpv4(walk, next);
    case 0x86dd:
      return readIpv6(walk, next);
    case 0x0806:
    // RARP has the same format.
    case 0x8035:
      return readArp(walk, next);
    default:
      return readUnknown(walk, next, etherType);
  }
}

/** 802.1Q, 802.1ad, and what was used for the outer tag before 802.1ad. */
export const tagTypes: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);

/** IEEE 802.1Q, section 9.6: priority and VLAN ID in 16 bits, then the EtherType of what follows, which it returns. */
function readTag(walk: Walk, at: number): number {
  const control = u16(walk.bytes, at);
  const etherType = u16(walk.bytes, at + 2);
  const vlan = control & 0x0fff;
  walk.protocols.push('vlan');
  walk.vlans = [...walk.vlans, vlan];
  walk.layers?.push(
    field(walk, { name: 'VLAN tag', value: `${vlan}`, from: at, to: at + 4 }, [
      field(walk, { name: 'Priority', value: `${control >> 13}`, from: at, to: at + 1 }),
      field(walk, { name: 'Drop eligible', value: control & 0x1000 ? 'yes' : 'no', from: at, to: at + 1 }),
      field(walk, { name: 'VLAN ID', value: `${vlan}`, from: at, to: at + 2 }),
      field(walk, { name: 'Type', value: hex(etherType, 4), from: at + 2, to: at + 4 }),
    ]),
  );
  return etherType;
}

function readUnknown(walk: Walk, at: number, etherType: number): void {
  // Below 1536 it is a length (802.3) or, in cooked captures, a pseudo protocol of Linux: 1 and 4 are 802.3 and 802.2.
  if (etherType >= 1536) return readOther(walk, at, `EtherType ${hex(etherType, 4)}`);
  if (at + 3 > walk.end) return readOther(walk, at, `802.3 frame`);
  readOther(walk, at, `802.2 LLC, DSAP ${hex(u8(walk.bytes, at), 2)}`);
}
