import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { addresses } from '../../cluster/layout.ts';
import { datagramNumber } from '../../src/testbed/datagrams.ts';

/** A UDP socket on this machine, which receives the numbered datagrams of Pods whatever happens to the Nodes. */
export type HostReceiver = AsyncDisposable & {
  readonly address: string;
  readonly port: number;
  /** How many datagrams were received, and the number of the last one: -1 if there is none. */
  readonly received: () => { readonly count: number; readonly last: number };
};

/** Opens the socket, on a free port of the address at which Pods reach this machine. */
export async function hostReceiver(): Promise<HostReceiver> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  let count = 0;
  let last = -1;
  socket.on('message', (payload) => {
    count += 1;
    last = datagramNumber(payload) ?? last;
  });
  socket.bind(0, addresses.host);
  await once(socket, 'listening');
  return {
    address: addresses.host,
    port: socket.address().port,
    received: () => ({ count, last }),
    async [Symbol.asyncDispose]() {
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}
