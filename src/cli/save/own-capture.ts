import type { NamedCapture } from '../../commands/open-capture.ts';
import type { CaptureInterface } from '../../pcap/capture-interface.ts';
import type { CaptureReader } from '../../pcap/read/capture-reader.ts';

/** The capture with each of its interfaces described as `own` says. */
export function ownCapture(
  capture: NamedCapture,
  own: (described: CaptureInterface) => CaptureInterface,
): NamedCapture {
  return {
    ...capture,
    async open(options) {
      const opened = await capture.open(options);
      return opened.kind === 'capture' ? { ...opened, reader: ownReader(opened.reader, own) } : opened;
    },
  };
}

function ownReader(
  reader: CaptureReader,
  own: (described: CaptureInterface) => CaptureInterface,
): CaptureReader {
  const interfaces: CaptureInterface[] = [];
  return {
    packet: reader.packet,
    next: () => reader.next(),
    get interfaces() {
      if (interfaces.length < reader.interfaces.length)
        interfaces.push(...reader.interfaces.slice(interfaces.length).map(own));
      return interfaces;
    },
    get received() {
      return reader.received;
    },
    get damage() {
      return reader.damage;
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}
