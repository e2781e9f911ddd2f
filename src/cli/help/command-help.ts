import { helpOption } from '../cli-arguments.ts';
import type { CliCommand, CliOption } from '../cli-command.ts';
import { definitions } from './wrapped.ts';

/** The columns of a text that is made for every terminal. */
export const helpColumns = 80;

const optionColumns = 28;

/** What `kubectl podcap <command> --help` prints. */
export function commandHelp(command: CliCommand): string {
  const examples = command.examples.map(({ purpose, command: line }) => `  # ${purpose}\n  ${line}\n`);
  return `Usage: ${usageLine(command)}

${command.description.trim()}

Examples:
${examples.join('\n')}
Options:
${definitions(
  [...command.options, helpOption].map((option) => [optionTerm(option), optionMeaning(option)]),
  { termColumns: optionColumns, columns: helpColumns },
)}
kubectl's own options work here, too, such as --namespace, --context and --as:
see kubectl options.
`;
}

export function usageLine({ name, usage }: CliCommand): string {
  return `kubectl podcap ${name} ${usage}`.trim();
}

/** "-o, --output FORMAT" */
function optionTerm({ name, short, value }: CliOption): string {
  return `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

/** What the option does, and which values it takes, unless its description names them all. */
export function optionMeaning({ description, choices = [], isRepeatable }: CliOption): string {
  const isNamed = choices.every((choice) => description.includes(choice));
  return [
    description,
    ...(isNamed ? [] : [`(${choices.join(', ')})`]),
    ...(isRepeatable === true ? ['(can be given several times)'] : []),
  ].join(' ');
}
