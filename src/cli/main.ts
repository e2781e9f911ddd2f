import { cliCommands } from './cli-commands.ts';
import { endSignals } from './end-signals.ts';
import { runCli } from './run-cli.ts';

/** `kubectl podcap`: kubectl runs this program with what follows the two words. */
async function main(): Promise<void> {
  // Whoever read may be gone. What is written then is lost, and no error.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  using ending = endSignals(process);
  const code = await runCli(process.argv.slice(2), {
    commands: cliCommands,
    terminal: process,
    signal: ending.signal,
  });
  // A pipe or a connection that is still open would keep the process alive.
  process.exit(code);
}

void main();
