import { hubCommand } from './hub-command.ts';

/** Starts the hub. Its settings are flags and environment variables. */
async function main(): Promise<void> {
  process.exitCode = await hubCommand();
}

void main();
