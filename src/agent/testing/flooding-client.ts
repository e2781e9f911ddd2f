import { connect } from 'node:net';

/**
 * A child process that floods a port from an address of its own, as a Pod has one: `node flooding-client.ts <port>
 * pipeline` sends requests without ever waiting for answers, and `connect` a request on each of many connections. It
 * notifies its parent of the first answer, and ends with its parent.
 */
function main(): void {
  const [port, how] = process.argv.slice(2);
  const requests = how === 'pipeline' ? request.repeat(200) : request;
  for (let i = 0; i < connections; i += 1) flood(Number(port), requests);
  process.once('disconnect', () => process.exit());
}

const connections = 400;
const request = 'GET /metrics HTTP/1.1\r\nHost: agent\r\n\r\n';

/** A connection that the server ends is replaced at once. */
function flood(port: number, requests: string): void {
  const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
  const send = () => {
    while (socket.write(requests));
  };
  if (requests === request) socket.write(request);
  else socket.on('connect', send).on('drain', send);
  socket.on('error', () => {});
  socket.once('data', notify).resume();
  socket.on('close', () => {
    notify();
    flood(port, requests);
  });
}

let isNotified = false;
function notify(): void {
  if (!isNotified) process.send?.('answered');
  isNotified = true;
}

main();
