import type { Terminal } from '../../commands/terminal.ts';

export type Colour = keyof typeof codes;

/** Of the foreground, in the 16 colours that every theme sets. */
const codes = {
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
  brightGreen: 92,
  brightBlue: 94,
  brightMagenta: 95,
  brightCyan: 96,
} as const;

/** Whether standard output takes colours: a terminal, unless NO_COLOR is set (no-color.org). */
export function hasColours({ env, stdout }: Pick<Terminal, 'env' | 'stdout'>): boolean {
  return stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

export function coloured(text: string, colour: Colour): string {
  return `\u001b[${codes[colour]}m${text}\u001b[39m`;
}

/**
 * Gives each Pod a colour, in turn: red and yellow are for what is wrong. Of so many that come and go, the first ones are
 * forgotten.
 */
export function podColours(mostPods = 1_000): (pod: string) => Colour {
  const given = new Map<string, Colour>();
  let turn = 0;
  return (pod) => {
    const known = given.get(pod);
    if (known !== undefined) return known;
    const colour = palette[turn % palette.length] ?? 'cyan';
    turn += 1;
    const [first] = given.keys();
    if (given.size >= mostPods && first !== undefined) given.delete(first);
    given.set(pod, colour);
    return colour;
  };
}

const palette = [
  'cyan',
  'green',
  'magenta',
  'blue',
  'brightCyan',
  'brightGreen',
  'brightMagenta',
  'brightBlue',
] as const satisfies readonly Colour[];
