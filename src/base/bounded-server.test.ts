import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boundedServer, type ConnectionBounds, connectionToClose } from './bounded-server.ts';
import { until } from './until.ts';

const few = { connections: 4, perAddress: 2 };

test.each([
  ['nothing while there is space', 'b', '', undefined],
  ['nothing while there is space, though another address has all it may', 'aa', 'b', undefined],
  ['the oldest from the same address', 'aab', 'a', 0],
  ['the oldest from the same address, however many others there are', 'baac', 'a', 1],
  ['the oldest from the address that has most', 'abbc', 'd', 1],
  ['the oldest of all if every address has as many', 'abcd', 'e', 0],
  ['the oldest from the same address if none has more', 'abcd', 'c', 2],
])('closes %s', (_what, addresses, address, closed) => {
  const open = new Map(addresses.split('').map((each, index) => [index, each]));
  expect(connectionToClose(open, address, few)).toBe(closed);
});

test('whoever connects, the bounds hold, and no address loses a connection to one that has as many', () => {
  const addresses = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 60 });
  fc.assert(
    fc.property(addresses, (newcomers) => {
      const open = new Map<number, string>();
      const countOf = (address: string) => [...open.values()].filter((each) => each === address).length;
      for (const [id, newcomer] of newcomers.entries()) {
        const closed = connectionToClose(open, newcomer, few);
        const loser = closed === undefined ? newcomer : (open.get(closed) ?? '');
        const isFair = loser === newcomer || countOf(loser) > countOf(newcomer);
        const hasMost =
          loser === newcomer || [...open.values()].every((each) => countOf(each) <= countOf(loser));
        expect({ isFair, hasMost }).toEqual({ isFair: true, hasMost: true });
        if (closed !== undefined) open.delete(closed);
        open.set(id, newcomer);
        expect(open.size).toBeLessThanOrEqual(few.connections);
        expect(countOf(newcomer)).toBeLessThanOrEqual(few.perAddress);
      }
    }),
  );
});

test('a client that opens many connections keeps its newest, and another client all of its own', async () => {
  await using scene = await boundedScene({ connections: 10, perAddress: 3, lifetimeMs: 60_000 });
  const other = await scene.open('127.0.0.1');
  const flood: Socket[] = [];
  for (let i = 0; i < 20; i += 1) flood.push(await scene.open('127.0.0.2'));
  await until(() => flood.filter(({ closed }) => !closed).length === 3, { what: 'the others to be closed' });
  expect(flood.slice(-3).every(({ closed }) => !closed)).toBe(true);
  expect(other.closed).toBe(false);
});

test.each([
  ['sends nothing', () => false],
  ['sends a byte at a time', (socket: Socket) => socket.write('x')],
])('a client that %s is disconnected when its time is over', async (_what, send) => {
  await using scene = await boundedScene({ connections: 10, perAddress: 3, lifetimeMs: 200 });
  const socket = await scene.open('127.0.0.1');
  expect(await scene.isClosed(() => socket.closed || (send(socket), false))).toBe(true);
});

test('a client that does not read what it is sent is disconnected when its time is over', async () => {
  await using scene = await boundedScene({ connections: 10, perAddress: 3, lifetimeMs: 200 });
  const socket = await scene.open('127.0.0.1', { pauses: true });
  expect(await scene.isClosed(() => scene.accepted[0]?.destroyed)).toBe(true);
  socket.destroy();
});

test('the server ends although clients are connected', async () => {
  const scene = await boundedScene({ connections: 10, perAddress: 3, lifetimeMs: 60_000 });
  const socket = await scene.open('127.0.0.1');
  await scene[Symbol.asyncDispose]();
  expect(await scene.isClosed(() => socket.closed)).toBe(true);
});

test('throws if the port is taken', async () => {
  await using scene = await boundedScene({ connections: 10, perAddress: 3, lifetimeMs: 60_000 });
  await using second = boundedServer(createServer(), { ...few, lifetimeMs: 60_000 });
  await expect(second.listen(scene.port)).rejects.toThrow('EADDRINUSE');
});

/** A server that sends a lot to each client. Its clients choose among the addresses of the loopback interface. */
async function boundedScene(bounds: ConnectionBounds) {
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => {}).resume();
    socket.write(Buffer.alloc(20_000_000));
  });
  const bounded = boundedServer(server, bounds);
  const port = await bounded.listen(0);
  return {
    port,
    accepted,
    isClosed: (probe: () => boolean | undefined) => until(probe, { what: 'the connection to be closed' }),
    async open(localAddress: string, { pauses = false } = {}): Promise<Socket> {
      const socket = connect({ host: '127.0.0.1', port, localAddress });
      socket.on('error', () => {});
      await once(socket, 'connect');
      if (!pauses) socket.resume();
      return socket;
    },
    [Symbol.asyncDispose]: () => bounded[Symbol.asyncDispose](),
  };
}
