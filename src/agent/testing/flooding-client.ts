import { connect } from 'node:net';

/**
 * A client in a process of its own that asks for /metrics on some connections, again and again, without waiting for the
 * answers: `node flooding-client.ts <port>`. It tells its parent when the first one has come, and ends with it.
 */
function main(): void {
  const port = Number(process.argv[2]);
  for (let i = 0; i < connections; i += 1) flood(port);
  process.once('disconnect', () => process.exit());
}

/** What the server has read of one alone is answered in less than a second. */
const connections = 8;
const requests = 'GET /metrics HTTP/1.1\r\nHost: agent\r\n\r\n'.repeat(200);

function flood(port: number): void {
  const socket = connect(port, '127.0.0.1');
  const send = () => {
    while (socket.write(requests));
  };
  socket.on('connect', send).on('flush', send);
  // A server that ends the connection has answered too.
  socket.on('error', tell).on('close', tell).once('data', tell);
}

function tell(): void {
  process.send?.('answered');
}

main();
