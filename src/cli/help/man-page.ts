import { helpOption } from '../cli-arguments.ts';
import type { CliCommand, CliOption } from '../cli-command.ts';
import { kubectlOptions } from '../kubectl-options.ts';
import { optionMeaning, usageLine } from './command-help.ts';
import { descriptionBlocks } from './description-blocks.ts';
import { exitCodeMeanings } from './exit-code-meanings.ts';
import { commonTasks } from './overview.ts';
import { wrapped } from './wrapped.ts';

/** The man page kubectl-podcap(1), in man's macros. `date`: of the version, as 2026-11-30. */
export function manPage(
  commands: readonly CliCommand[],
  { version, date }: { readonly version: string; readonly date: string },
): string {
  const names = new Set(commands.map(({ name }) => name));
  const tasks = commonTasks.filter(({ command }) => names.has(command.split(' ')[2] ?? ''));
  return withoutFirstParagraphs([
    `.TH KUBECTL-PODCAP 1 ${date} ${roff(`podcap ${version}`, 'quoted')}`,
    '.SH NAME',
    String.raw`kubectl\-podcap \- capture the packets of Pods`,
    '.SH SYNOPSIS',
    '.B kubectl podcap',
    String.raw`.IR COMMAND " [" ARGUMENT ...]`,
    '.SH DESCRIPTION',
    ...paragraph(
      'kubectl podcap asks the agents of Podcap to capture the packets of Pods, and brings these packets to this ' +
        'machine. It reaches the cluster through kubectl, with the login and the rights that kubectl has.',
    ),
    ...tasks.flatMap(({ purpose, command }) => tagged(`${purpose}:`, [roff(command)])),
    '.SH COMMANDS',
    ...commands.flatMap(commandSection),
    '.SH OPTIONS OF KUBECTL',
    ...paragraph('Every command passes these on to kubectl:'),
    ...kubectlOptions.flatMap(optionEntry),
    '.SH EXIT STATUS',
    ...exitCodeMeanings.flatMap(([code, meaning]) => tagged(String(code), [roff(meaning)])),
    '.SH SEE ALSO',
    '.BR kubectl (1),',
    '.BR wireshark (1),',
    '.BR pcap\\-filter (7)',
    '',
  ]).join('\n');
}

function commandSection(command: CliCommand): string[] {
  return [
    `.SS ${roff(usageLine(command), 'quoted')}`,
    ...descriptionBlocks(command.description).flatMap((block) =>
      block.kind === 'paragraph' ? paragraph(block.text) : literal(block.lines),
    ),
    ...[...command.options, helpOption].flatMap(optionEntry),
    ...paragraph('Examples:'),
    ...literal(command.examples.flatMap(({ purpose, command: line }) => [`# ${purpose}`, line])),
  ];
}

function optionEntry(option: CliOption): string[] {
  const { name, short, value } = option;
  const valueText = value === undefined ? '' : String.raw` \fI${roff(value)}\fR`;
  const shown = [...(short === undefined ? [] : [`-${short}`]), `--${name}`];
  const term = shown.map((each) => String.raw`\fB${roff(each)}\fR`).join(', ');
  return ['.TP', `${term}${valueText}`, ...filled(optionMeaning(option))];
}

function tagged(term: string, lines: readonly string[]): string[] {
  return ['.TP', roff(term), ...lines];
}

function paragraph(text: string): string[] {
  return ['.PP', ...filled(text)];
}

/** Lines that diff well; roff fills them. */
function filled(text: string): string[] {
  return wrapped(text, sourceColumns).map((line) => roff(line));
}

const sourceColumns = 70;

/** After a heading, a paragraph begins without being told to. */
function withoutFirstParagraphs(lines: readonly string[]): string[] {
  return lines.filter((line, at) => line !== '.PP' || !/^\.S[HS] /.test(lines[at - 1] ?? ''));
}

function literal(lines: readonly string[]): string[] {
  return ['.PP', '.RS 4', '.nf', ...lines.map((line) => roff(line)), '.fi', '.RE'];
}

/** Text in which roff sees no request and no escape, and where a dash is one that can be copied. */
function roff(text: string, context?: 'quoted'): string {
  const escaped = text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll("'", String.raw`\(aq`)
    .replaceAll('`', String.raw`\(ga`)
    .replaceAll('^', String.raw`\(ha`)
    .replaceAll('~', String.raw`\(ti`);
  if (context === 'quoted') return `"${escaped.replaceAll('"', String.raw`\(dq`)}"`;
  return escaped.replace(/^\./, String.raw`\&.`);
}
