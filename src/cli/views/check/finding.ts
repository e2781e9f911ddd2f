import { plainText } from '../../../base/plain-text.ts';
import { wrapped } from '../../help/wrapped.ts';
import { type Colour, coloured } from '../../live/line-colours.ts';

/** One line of `kubectl podcap check`. */
export type Finding = {
  /** `fix`: something does not work, and the text says what to do. `note`: not needed, or not known to this user. */
  readonly status: 'ok' | 'fix' | 'note';
  readonly subject: string;
  readonly text: string;
};

export type FindingLayout = {
  readonly hasColours: boolean;
  /** Of the terminal; undefined: each finding is one line. */
  readonly columns: number | undefined;
};

/** The finding as it is printed; on a terminal, its text goes on under itself. */
export function findingText(
  { status, subject, text }: Finding,
  { hasColours, columns = Infinity }: FindingLayout,
): string {
  const indent = ' '.repeat(statusColumns + subjectColumns);
  const plain = plainText(text.replaceAll(/\s+/g, ' ').trim());
  const isNarrow = columns < 2 * indent.length;
  const lines = wrapped(plain, Math.max(columns - (isNarrow ? 2 : indent.length), 20));
  const shownStatus = hasColours ? coloured(status, statusColours[status]) : status;
  const head = `${shownStatus}${' '.repeat(statusColumns - status.length)}${plainText(subject)}`;
  if (isNarrow) return [head, ...lines.map((line) => `  ${line}`)].map((line) => `${line}\n`).join('');
  const [first = '', ...more] = lines;
  const gap = ' '.repeat(Math.max(1, subjectColumns - subject.length));
  return [`${head}${gap}${first}`, ...more.map((line) => `${indent}${line}`)]
    .map((line) => `${line}\n`)
    .join('');
}

const statusColumns = 6;
const subjectColumns = 16;

const statusColours: Readonly<Record<Finding['status'], Colour>> = {
  ok: 'green',
  fix: 'red',
  note: 'yellow',
};
