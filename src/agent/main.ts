import { agentCommand } from './agent-command.ts';

/** Starts the agent. Its settings are flags and environment variables. */
async function main(): Promise<void> {
  process.exitCode = await agentCommand();
}

void main();
