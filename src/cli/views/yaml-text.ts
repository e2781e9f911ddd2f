import { plainText } from '../../base/plain-text.ts';

/**
 * A JSON value as YAML 1.2, in blocks as kubectl writes it. A text that YAML could take for anything else is in double
 * quotes, as in JSON, of which YAML is a superset; so no character acts on a terminal.
 */
export function yamlText(value: unknown): string {
  return `${blockOf(value, '').replace(/^\n/, '')}\n`;
}

/** What follows `key:` or `-`, with the space or the line feed before it. */
function blockOf(value: unknown, indent: string): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return ' []';
    return value.map((item: unknown) => `\n${indent}-${itemOf(item, indent)}`).join('');
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, each]) => each !== undefined);
    if (entries.length === 0) return ' {}';
    return entries
      .map(([key, each]) => `\n${indent}${textOf(key)}:${blockOf(each, inner(each, indent))}`)
      .join('');
  }
  return ` ${typeof value === 'string' ? textOf(value) : (JSON.stringify(value) ?? 'null')}`;
}

/** The first line of what is in a list is on the line of its dash. */
function itemOf(value: unknown, indent: string): string {
  const block = blockOf(value, `${indent}  `);
  return block.startsWith('\n') ? ` ${block.trimStart()}` : block;
}

/** A list is not indented more than its key. */
function inner(value: unknown, indent: string): string {
  return Array.isArray(value) ? indent : `${indent}  `;
}

function textOf(text: string): string {
  return isPlain(text) ? text : plainText(JSON.stringify(text));
}

/** Words that no version of YAML takes for a number, a truth value, a time or a structure. */
function isPlain(text: string): boolean {
  return (
    /^[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*$/.test(text) &&
    !/^(true|false|yes|no|on|off|y|n|null|nan|inf)$/i.test(text)
  );
}
