import { listCommand } from './commands/list.ts';
import { readCommand } from './commands/read.ts';

/** `podcap read` and `podcap list` read captures. Everything else starts the agent; only then is its code loaded. */
async function main([command, ...args]: readonly string[]): Promise<void> {
  // What nobody reads would keep the process alive; everything else is written when a command returns.
  if (command === 'read') process.exit(await readCommand(args, process));
  if (command === 'list') process.exit(await listCommand(args, process));
  if (command === 'merge') {
    const { mergeCommand } = await import('./commands/merge.ts');
    process.exit(await mergeCommand(args, process));
  }
  const { agentCommand } = await import('./agent/agent-command.ts');
  process.exitCode = await agentCommand();
}

void main(process.argv.slice(2));
