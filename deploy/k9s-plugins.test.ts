import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadYaml } from '@kubernetes/client-node';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { parseCliArguments } from '../src/cli/cli-arguments.ts';
import { cliCommands } from '../src/cli/cli-commands.ts';
import { checkout } from '../tools/target.ts';

/** The schema with which k9s checks such a file (internal/config/json/schemas/plugins.json), as far as it goes. */
const pluginSchema = v.strictObject({
  shortCut: v.pipe(v.string(), v.regex(/^Shift-[A-Z]$/)),
  description: v.string(),
  scopes: v.array(v.string()),
  command: v.string(),
  background: v.boolean(),
  args: v.array(v.string()),
});

const values: Readonly<Record<string, string>> = {
  KUBECONFIG: '/a:/b',
  NAME: 'web-0',
  NAMESPACE: 'shop',
  CONTEXT: '$(rm -rf /)"',
};

/** As k9s does; a variable that it does not know is an error there, too. */
function substitute(arg: string): string {
  return arg.replaceAll(/\$(\w+)/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`k9s has no $${name}`);
    return value;
  });
}

test("k9s accepts the file, and its commands are kubectl podcap's", async () => {
  const content = loadYaml(await readFile(join(checkout, 'deploy/k9s-plugins.yaml'), 'utf8'));
  const { plugins } = v.parse(v.strictObject({ plugins: v.record(v.string(), pluginSchema) }), content);
  const shortCuts = Object.values(plugins).map(({ shortCut }) => shortCut);
  expect(new Set(shortCuts).size).toBe(shortCuts.length);
  for (const { args } of Object.values(plugins)) {
    const words = commandOf(args);
    expect(words.slice(0, 3)).toEqual(['KUBECONFIG=/a:/b', 'kubectl', 'podcap']);
    const [, , , name, ...rest] = words;
    const command = cliCommands.find((each) => each.name === name);
    if (command === undefined) throw new Error(`${words.join(' ')} has no command`);
    expect(parseCliArguments(command, rest)).toMatchObject({
      kind: 'arguments',
      given: { positionals: ['web-0'] },
      kubectlFlags: ['--context=$(rm -rf /)"'],
      namespace: 'shop',
    });
  }
});

/** The words that are run. A script of a shell has none of the values of k9s, but gets them as its arguments. */
function commandOf(args: readonly string[]): readonly string[] {
  const [environment = '', shell, , script = '', , ...given] = args;
  if (shell !== 'sh') return args.map(substitute);
  expect(substitute(script)).toBe(script);
  const [line = '', ...others] = script.split(';');
  expect(others.join()).not.toContain('$');
  return [environment, ...line.split(' ').flatMap((word) => (word === '"$@"' ? given : [word]))].map(
    substitute,
  );
}
