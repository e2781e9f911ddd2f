/** A part of a command's description. */
export type DescriptionBlock =
  | { readonly kind: 'paragraph'; readonly text: string }
  /** Indented lines, which stay as they are, without their common indentation. */
  | { readonly kind: 'literal'; readonly lines: readonly string[] };

/** Splits a description at its empty lines. */
export function descriptionBlocks(description: string): readonly DescriptionBlock[] {
  return description
    .split(/\n\s*\n/)
    .map((block) => block.split('\n').filter((line) => line.trim() !== ''))
    .filter((lines) => lines.length > 0)
    .map((lines) => {
      const indent = Math.min(...lines.map((line) => line.search(/\S/)));
      if (indent === 0) return { kind: 'paragraph', text: lines.map((line) => line.trim()).join(' ') };
      return { kind: 'literal', lines: lines.map((line) => line.slice(indent)) };
    });
}
