import { createServer, get } from 'node:http';

/** The traffic that deploy/examples captures: `traffic serve <port>` or `traffic generate <host> <port>`. */
const [, , role, ...rest] = process.argv;
if (role === 'serve') serve(Number(rest[0]));
else if (role === 'generate' && rest[0]) generate(rest[0], Number(rest[1]));
else {
  process.stderr.write('usage: traffic serve <port> | traffic generate <host> <port>\n');
  process.exitCode = 2;
}

/** Answers each request with 80 kB, so that a capture file of 1 MB is full after about a second. */
function serve(port: number): void {
  const body = 'Podcap keeps the last packets of a Pod. '.repeat(2_000);
  const server = createServer((_request, response) => response.end(body)).listen(port);
  process.once('SIGTERM', () => {
    server.close();
    server.closeAllConnections();
  });
}

/** Sends ten requests a second, each with the next number in its path, until it is stopped. */
function generate(host: string, port: number): void {
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    get({ host, port, path: `/request/${sent}`, agent: false }, (response) => response.resume()).on(
      'error',
      (error) => {
        process.stderr.write(`request ${sent}: ${error.message}\n`);
      },
    );
  }, 100);
  process.once('SIGTERM', () => clearInterval(timer));
}
