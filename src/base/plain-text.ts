/**
 * The text as it can be shown on a terminal: every character that a terminal acts on instead of showing it (control
 * characters, changes of direction, line separators) as an escape such as \u001b.
 */
export function plainText(text: string): string {
  return text.replaceAll(unprintable, escaped);
}

/** The value as JSON with an indentation of two spaces; JSON itself escapes only some of these characters. */
export function plainJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).split('\n').map(plainText).join('\n');
}

/** Cc: control; Cf: format, such as a change of direction; Zl and Zp: separators; Cs: half a surrogate pair. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** As JSON writes it, in UTF-16: the escape is valid inside a JSON string. */
function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');
}
