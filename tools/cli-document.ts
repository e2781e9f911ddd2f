import { helpOption } from '../src/cli/cli-arguments.ts';
import type { CliCommand, CliOption } from '../src/cli/cli-command.ts';
import { cliCommands } from '../src/cli/cli-commands.ts';
import { optionMeaning, usageLine } from '../src/cli/help/command-help.ts';
import { descriptionBlocks } from '../src/cli/help/description-blocks.ts';
import { exitCodeMeanings } from '../src/cli/help/exit-code-meanings.ts';
import { oldestKubectl } from '../src/cli/kubectl/kubectl-version.ts';
import { kubectlOptions } from '../src/cli/kubectl-options.ts';
import { table } from './markdown-table.ts';

/** The part of docs/cli.md that the commands describe themselves. */
export function commandsMarkdown(): string {
  const list = table(
    ['command', 'what it does'],
    cliCommands.map(({ name, summary }) => [`[\`${name}\`](#kubectl-podcap-${name})`, summary]),
  );
  return [
    list,
    ...cliCommands.map(commandMarkdown),
    '## Options of kubectl',
    `The oldest kubectl that it works with is ${oldestKubectl.major}.${oldestKubectl.minor}. Every command takes these, too, and passes them on to kubectl:`,
    optionTable(kubectlOptions),
    '## Exit codes',
    table(
      ['code', 'when'],
      exitCodeMeanings.map(([code, meaning]) => [`${code}`, meaning]),
    ),
  ].join('\n\n');
}

function commandMarkdown(command: CliCommand): string {
  const blocks = descriptionBlocks(command.description).map((block) =>
    block.kind === 'paragraph' ? marked(block.text) : fenced('text', block.lines),
  );
  const examples = command.examples.map(({ purpose, command: line }) => `# ${purpose}\n${line}`);
  return [
    `## kubectl podcap ${command.name}`,
    fenced('text', [usageLine(command)]),
    ...blocks,
    optionTable([...command.options, helpOption]),
    fenced('sh', [examples.join('\n\n')]),
  ].join('\n\n');
}

function optionTable(options: readonly CliOption[]): string {
  return table(
    ['option', 'effect'],
    options.map((option) => {
      const { name, short, value } = option;
      const names = [...(short === undefined ? [] : [`-${short}`]), `--${name}`].map((each) => `\`${each}\``);
      return [
        `${names.join(', ')}${value === undefined ? '' : ` ${marked(value)}`}`,
        marked(optionMeaning(option)),
      ];
    }),
  );
}

function fenced(language: 'sh' | 'text', lines: readonly string[]): string {
  return [`\`\`\`${language}`, ...lines, '```'].join('\n');
}

/** Text of a terminal, in which Markdown would take some characters for its own. */
function marked(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>]/g, (character) => `\\${character}`);
}
