import {
  causesText,
  contentsText,
  notFrozenText,
  reachText,
} from '../agent/observability/frozen-ring-text.ts';
import { plainText } from '../base/plain-text.ts';
import type { ListedRecording } from './listed-recording.ts';

/**
 * The list for people: a table, with one row for each capture and the messages below it; or, on a terminal of `columns`
 * that is too narrow for it, one block for each capture. Undefined columns are not a terminal.
 */
export function listText(listed: readonly ListedRecording[], columns: number | undefined): string {
  const rows = [headings, ...listed.map(cellsOf)];
  const widths = headings.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  const width = widths.reduce((sum, each) => sum + each + gap.length, -gap.length);
  if (columns !== undefined && width > columns && listed.length > 0)
    return listed.map((one) => block(one, columns)).join('\n');
  const table = rows.map(
    (row) =>
      `${row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join(gap)
        .trimEnd()}\n`,
  );
  const messages = listed.flatMap((one) => [
    ...(one.message === undefined ? [] : [wrapped(`${nameOf(one)}: ${reasonOf(one)}`, columns, '')]),
    ...frozenLines(one).map((line) => wrapped(`${nameOf(one)}: ${line}`, columns, '')),
  ]);
  return [...table, ...(messages.length > 0 ? ['\n', ...messages] : [])].join('');
}

const gap = '  ';

const headings =
  'NAMESPACE POD UID STATE REASON FILES BYTES FROZEN PACKETS DROPPED LOST MISSED UNSEEN FIRST LAST'.split(
    ' ',
  );

function cellsOf(one: ListedRecording): readonly string[] {
  return [
    one.namespace,
    one.pod,
    one.uid,
    one.state,
    one.reason ?? '-',
    one.files,
    one.bytes,
    one.frozen?.length ?? 0,
    one.packets ?? '-',
    one.dropped ?? '-',
    one.lostAtStop ?? '-',
    one.missed ?? '-',
    unseenOf(one) ?? '-',
    toTheSecond(one.first),
    toTheSecond(one.last),
  ].map((cell) => plainText(String(cell)));
}

/** What the table has, from top to bottom, except what is not known. */
function block(one: ListedRecording, columns: number): string {
  const counts = [
    ['packets', one.packets],
    ['dropped', one.dropped],
    ['lost', one.lostAtStop],
    ['missed', one.missed],
    ['unseen', unseenOf(one)],
  ].flatMap(([name, count]) => (count === undefined ? [] : [`${name} ${count}`]));
  const { first, last } = one;
  const lines = [
    reasonOf(one),
    `uid ${one.uid}`,
    `files ${one.files}, bytes ${one.bytes}`,
    counts.join(', '),
    ...frozenLines(one),
    first === undefined || last === undefined ? '' : `from ${toTheSecond(first)} to ${toTheSecond(last)}`,
  ].filter((line) => line !== '');
  const heading = wrapped(`${nameOf(one)}  ${one.state}`, columns, '');
  return [heading, ...lines.map((line) => wrapped(line, columns, gap))].join('');
}

/** What is frozen, and what was not. */
function frozenLines({ frozen = [], notFrozen = 0 }: ListedRecording): string[] {
  const rings = frozen.map(
    (ring) =>
      `frozen ring ${ring.number}: ${[
        causesText(ring.causes),
        contentsText(ring),
        reachText(ring),
        notFrozenText(ring.notFrozenBefore),
      ]
        .filter((part) => part !== '')
        .join('; ')}`,
  );
  if (notFrozen === 0) return rings;
  return [...rings, `not frozen since then: ${notFrozen} ${notFrozen === 1 ? 'time' : 'times'}`];
}

/** With a plus where it is unknown for a part. */
function unseenOf({ unseen, isUnseenPartial }: ListedRecording): string | undefined {
  return unseen === undefined ? undefined : `${unseen}${isUnseenPartial ? '+' : ''}`;
}

function nameOf({ namespace, pod }: ListedRecording): string {
  return `${namespace}/${pod}`;
}

function reasonOf({ reason, message }: ListedRecording): string {
  return [reason, message].filter((part) => part !== undefined).join(': ');
}

/** Without the fraction: JSON has it. */
function toTheSecond(time: string | undefined): string {
  return time === undefined ? '-' : time.replace(/\.[0-9]+Z$/, 'Z');
}

/** The text in lines of at most that many columns, broken at spaces where there are any, each after the indentation. */
function wrapped(text: string, columns: number | undefined, indent: string): string {
  const limit = Math.max(20, columns ?? Infinity) - indent.length;
  const lines: string[] = [];
  let rest = plainText(text);
  while (rest.length > limit) {
    const space = rest.lastIndexOf(' ', limit);
    const end = space > 0 ? space : limit;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest].map((line) => `${indent}${line}\n`).join('');
}
