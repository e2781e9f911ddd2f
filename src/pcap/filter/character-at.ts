/**
 * Returns the character at an offset: both halves of a surrogate pair, if both are in the text. The text's own
 * codePointAt is wrong in V8 13.6 (Node.js 24): of a text that a slice has cut in the middle of a pair, its optimized
 * code reads the other half, which is behind the end.
 */
export function characterAt(text: string, at: number): string {
  const isPair =
    at + 1 < text.length && isHighSurrogate(text.charCodeAt(at)) && isLowSurrogate(text.charCodeAt(at + 1));
  return isPair ? text.slice(at, at + 2) : text.charAt(at);
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
