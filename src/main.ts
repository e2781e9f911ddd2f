import { listCommand } from './commands/list.ts';
import { readCommand } from './commands/read.ts';

/** The commands read captures. Everything else starts the agent. The code of each is loaded only when it is needed. */
async function main([command, ...args]: readonly string[]): Promise<void> {
  const run = await commandNamed(command);
  // What nobody reads would keep the process alive; everything else is written when a command returns.
  if (run) process.exit(await run(args));
  const { agentCommand } = await import('./agent/agent-command.ts');
  process.exitCode = await agentCommand();
}

type Command = (args: readonly string[]) => Promise<number>;

async function commandNamed(name: string | undefined): Promise<Command | undefined> {
  switch (name) {
    case 'read':
      return (args) => readCommand(args, process);
    case 'list':
      return (args) => listCommand(args, process);
    case 'merge': {
      const { mergeCommand } = await import('./commands/merge.ts');
      return (args) => mergeCommand(args, process);
    }
    case 'show': {
      const { showCommand } = await import('./commands/show.ts');
      const { showParts } = await import('./commands/show-parts.ts');
      return (args) => showCommand(args, process, showParts(process.stdin));
    }
    case undefined:
    default:
      return undefined;
  }
}

void main(process.argv.slice(2));
