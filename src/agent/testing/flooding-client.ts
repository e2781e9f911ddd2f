import { connect } from 'node:net';

/**
 * A child process that requests /metrics on several connections without ever waiting for the answers:
 * `node flooding-client.ts <port>`. It notifies its parent of the first answer, and ends with its parent.
 */
function main(): void {
  const port = Number(process.argv[2]);
  for (let i = 0; i < connections; i += 1) flood(port);
  process.once('disconnect', () => process.exit());
}

/** With a single connection, all that the server has read is answered in less than a second. */
const connections = 8;
const requests = 'GET /metrics HTTP/1.1\r\nHost: agent\r\n\r\n'.repeat(200);

function flood(port: number): void {
  const socket = connect(port, '127.0.0.1');
  const send = () => {
    while (socket.write(requests));
  };
  socket.on('connect', send).on('drain', send);
  // A server that ends the connection has answered, too.
  socket.on('error', notify).on('close', notify).once('data', notify);
}

function notify(): void {
  process.send?.('answered');
}

main();
