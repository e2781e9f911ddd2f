import { expect, test } from 'vitest';
import { parseCliArguments } from '../cli-arguments.ts';
import { cliCommands } from '../cli-commands.ts';
import { splitCommand } from '../command-name.ts';
import { commandHelp, helpColumns } from './command-help.ts';
import { commonTasks, overview } from './overview.ts';

const examples = [
  ...cliCommands.flatMap(({ name, examples: own }) => own.map(({ command: line }) => [name, line] as const)),
  ...commonTasks.map(({ command: line }) => [line.split(' ')[2] ?? '', line] as const),
].filter(([name]) => cliCommands.some((command) => command.name === name));

/** The words of a command line as a shell splits it; what follows a pipe or a redirection is not the command's. */
function shellWords(line: string): string[] {
  const own = line.replace(/^(?:source <|eval "\$)\((.*)\)"?$/, '$1').split(/ [|>] /)[0] ?? '';
  return [...own.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, one, two, bare]) => one ?? two ?? bare ?? '',
  );
}

test.each(examples)('%s: the example %s parses', (name, line) => {
  const [kubectl, podcap, ...args] = shellWords(line);
  expect([kubectl, podcap]).toEqual(['kubectl', 'podcap']);
  const found = splitCommand(args);
  expect(found.name).toBe(name);
  const command = cliCommands.find((each) => each.name === name);
  if (command === undefined) throw new Error(`there is no command ${name}`);
  expect(parseCliArguments(command, found.rest)).toMatchObject({ kind: 'arguments' });
});

test.each(cliCommands)('the help of $name has three examples, and fits in 80 columns', (command) => {
  expect(command.examples).toHaveLength(3);
  const isExample = (line: string) => command.examples.some((example) => line.includes(example.command));
  const tooLong = commandHelp(command)
    .split('\n')
    .filter((line) => line.length > helpColumns && !isExample(line) && !line.startsWith('Usage: '));
  expect(tooLong).toEqual([]);
});

test.each(cliCommands)('no option of $name hides one of its own letters or names', ({ options }) => {
  const names = options.flatMap(({ name, short }) => [name, ...(short === undefined ? [] : [short])]);
  expect(new Set(names).size).toBe(names.length);
  expect(names).not.toContain('help');
  expect(names).not.toContain('h');
});

test('kubectl podcap alone names every command', () => {
  const shown = overview(cliCommands);
  for (const { name, summary } of cliCommands)
    expect(shown.replaceAll(/\s+/g, ' ')).toContain(`${name} ${summary}`);
  expect(shown.split('\n').filter((line) => line.length > helpColumns)).toEqual([]);
});
