import { isOption } from './cli-arguments.ts';
import { kubectlOptions } from './kubectl-options.ts';

/** The command's name, and the arguments without it. */
export type NamedCommand = { readonly name: string | undefined; readonly rest: readonly string[] };

/** Finds the command: people also write options of kubectl before it, `kubectl podcap -n shop list`. */
export function splitCommand(args: readonly string[]): NamedCommand {
  let at = 0;
  while (at < args.length) {
    const arg = args[at] ?? '';
    const option = isOption(arg) ? kubectlOption(arg) : undefined;
    if (option === undefined) break;
    at += option.value === undefined || isAttached(arg) ? 1 : 2;
  }
  return { name: args[at], rest: [...args.slice(0, at), ...args.slice(at + 1)] };
}

function kubectlOption(arg: string) {
  const name = arg.replace(/=[^]*$/, '');
  return kubectlOptions.find(
    (option) =>
      name === `--${option.name}` || (option.short !== undefined && arg.startsWith(`-${option.short}`)),
  );
}

/** `--namespace=shop`, `-nshop`. */
function isAttached(arg: string): boolean {
  return arg.startsWith('--') ? arg.includes('=') : arg.length > 2;
}
