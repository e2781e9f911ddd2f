import { listCommand } from './read/list.ts';
import { readCommand } from './read/read.ts';

/** `podcap read` and `podcap list` read what is kept; everything else is the agent, which is loaded only for itself. */
async function main([command, ...args]: readonly string[]): Promise<number> {
  if (command === 'read') return await readCommand(args, process);
  if (command === 'list') return await listCommand(args, process);
  const { agentCommand } = await import('./agent/agent-command.ts');
  return await agentCommand();
}

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
