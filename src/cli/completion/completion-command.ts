import { printText } from '../../commands/terminal.ts';
import type { CliCommand } from '../cli-command.ts';
import { wrongUsage } from '../given-arguments.ts';
import { bashCompletion } from './bash-completion.ts';
import { fishCompletion } from './fish-completion.ts';
import { isShell, type Shell, shells } from './shells.ts';
import { zshCompletion } from './zsh-completion.ts';

const scripts: Readonly<Record<Shell, string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `kubectl podcap completion`: prints the script for a shell. */
export const completionCommand: CliCommand = {
  name: 'completion',
  summary: 'print the script with which a shell completes commands, options and names',
  usage: shells.join(' | '),
  description: `Prints the script with which a shell completes the commands and options of
kubectl podcap, and the names of Pods, captures, namespaces and contexts.

Load it in each new shell, after the completion of kubectl itself:

  bash  in ~/.bashrc: eval "$(kubectl podcap completion bash)"
  zsh   in ~/.zshrc, after compinit: source <(kubectl podcap completion zsh)
  fish  in ~/.config/fish/config.fish: kubectl podcap completion fish | source

Where the program kubectl_complete-podcap is on PATH, kubectl's own completion
has all this without the script.`,
  options: [],
  examples: [
    { purpose: 'Complete in this bash', command: 'eval "$(kubectl podcap completion bash)"' },
    { purpose: 'Complete in this zsh', command: 'source <(kubectl podcap completion zsh)' },
    { purpose: 'Complete in this fish', command: 'kubectl podcap completion fish | source' },
  ],
  positionals: 'shells',
  async run({ positionals }, { terminal }) {
    const [shell, ...more] = positionals;
    if (shell === undefined) throw wrongUsage(`a shell is required: ${shells.join(', ')}`);
    if (!isShell(shell) || more.length > 0)
      throw wrongUsage(
        `there is a script for ${shells.join(', ')}, not for ${JSON.stringify(positionals.join(' '))}`,
      );
    return await printText(terminal, scripts[shell]);
  },
};
