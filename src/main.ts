import { listCommand } from './read/list.ts';
import { readCommand } from './read/read.ts';

/** `podcap read` and `podcap list` read captures. Everything else starts the agent; only then is its code loaded. */
async function main([command, ...args]: readonly string[]): Promise<number> {
  if (command === 'read') return await readCommand(args, process);
  if (command === 'list') return await listCommand(args, process);
  const { agentCommand } = await import('./agent/agent-command.ts');
  return await agentCommand();
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
