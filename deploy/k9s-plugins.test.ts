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
  CONTEXT: 'arn:aws:prod',
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
    const [line = ''] = args.map(substitute).join(' ').split(';');
    const [, name, rest = ''] = /KUBECONFIG="?\/a:\/b"? kubectl podcap (\w+) (.*)$/.exec(line) ?? [];
    const command = cliCommands.find((each) => each.name === name);
    if (command === undefined) throw new Error(`${line} has no command`);
    expect(parseCliArguments(command, rest.replaceAll('"', '').split(' '))).toMatchObject({
      kind: 'arguments',
      given: { positionals: ['web-0'] },
      kubectlFlags: ['--context=arn:aws:prod'],
      namespace: 'shop',
    });
  }
});
