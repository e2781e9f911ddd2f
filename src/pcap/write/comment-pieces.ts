/**
 * A text in pieces that an option of pcapng can hold, each of whole lines where that is possible. Of a text that is too
 * long for a block that other programs read, the last piece says how many lines were left out. Pure.
 */
export function commentPieces(text: string): readonly string[] {
  const lines = text.split('\n');
  const pieces: string[] = [];
  let piece: string | undefined;
  for (const [at, line] of lines.entries()) {
    for (const part of partsOf(line)) {
      const longer = piece === undefined ? part : `${piece}\n${part}`;
      if (Buffer.byteLength(longer) <= mostPieceBytes) {
        piece = longer;
        continue;
      }
      if (piece !== undefined) pieces.push(piece);
      piece = part;
      if (pieces.length === mostPieces) return [...pieces, leftOut(lines.length - at)];
    }
  }
  return piece === undefined ? pieces : [...pieces, piece];
}

/** A line that no option can hold, in parts of whole characters. */
function partsOf(line: string): readonly string[] {
  return Buffer.byteLength(line) <= mostPieceBytes ? [line] : (line.match(/[^]{1,16000}/gu) ?? []);
}

/** An option can hold 65,535. */
const mostPieceBytes = 65_000;

/** About 1 MB: Wireshark refuses blocks of 16 MiB. */
const mostPieces = 16;

function leftOut(lines: number): string {
  return lines === 1 ? 'one more line is left out' : `${lines} more lines are left out`;
}
