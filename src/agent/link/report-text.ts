/** Without control characters and what else changes how a terminal shows the rest; at most that many characters. */
export function boundedText(text: string, mostCharacters: number): string {
  if (text.length <= mostCharacters) return text.replaceAll(unprintable, ' ');
  // Half a pair, where it is cut, is one of them.
  return `${text
    .slice(0, mostCharacters - 1)
    .replace(halfPairAtEnd, '')
    .replaceAll(unprintable, ' ')}…`;
}

/** Cc: control; Cf: format, such as a change of direction; Zl and Zp: separators; Cs: half a surrogate pair. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const halfPairAtEnd = /\p{Cs}$/u;

const mostLabelBytes = 16 * 1_024;

/** Labels as Kubernetes allows them; as many as fit, because a line of a report has a bound. */
export function boundedLabels(labels: Readonly<Record<string, string>>): Record<string, string> {
  let bytes = 0;
  const kept = Object.entries(labels).filter(([key, value]) => {
    if (key.length > mostKeyCharacters || value.length > mostValueCharacters) return false;
    bytes += key.length + value.length + 6;
    return bytes <= mostLabelBytes;
  });
  return Object.fromEntries(kept);
}

const mostKeyCharacters = 317;
const mostValueCharacters = 63;
