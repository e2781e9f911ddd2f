import type { CliCommand, CliExample } from '../cli-command.ts';
import { helpColumns } from './command-help.ts';
import { definitions } from './wrapped.ts';

/** The five things that people do, each with the command for it. */
export const commonTasks: readonly CliExample[] = [
  { purpose: 'Watch the packets of a Pod, now', command: 'kubectl podcap live web' },
  {
    purpose: 'Keep the last 50 MB of its packets in the cluster',
    command: 'kubectl podcap start web --files 50',
  },
  { purpose: 'See what is being captured, and what is refused and why', command: 'kubectl podcap list' },
  { purpose: 'Get what is kept as one file', command: 'kubectl podcap save web' },
  { purpose: 'Find out why something does not work', command: 'kubectl podcap check' },
];

const nameColumns = 14;

/** What `kubectl podcap` prints. Names only commands that there are. */
export function overview(commands: readonly CliCommand[]): string {
  const names = new Set(commands.map(({ name }) => name));
  const tasks = commonTasks.filter(({ command }) => names.has(command.split(' ')[2] ?? ''));
  return `kubectl podcap captures the packets of Pods.

${tasks.map(({ purpose, command }) => `  # ${purpose}\n  ${command}\n`).join('\n')}
Commands:
${definitions(
  commands.map(({ name, summary }) => [name, summary]),
  { termColumns: nameColumns, columns: helpColumns },
)}
kubectl podcap COMMAND --help describes a command, with examples.
`;
}
