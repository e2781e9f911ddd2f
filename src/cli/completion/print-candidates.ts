import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { exitCodes, printText, type Terminal } from '../../commands/terminal.ts';
import type { CliCommand } from '../cli-command.ts';
import { kubectlProgram } from '../kubectl-program.ts';
import { type Candidates, type CandidateWord, candidatesFor } from './completion-candidates.ts';

/** The command that the shells' scripts and kubectl_complete-podcap run. It is in no help. */
export const completeCommandName = '__complete';

/** Longer, and the person types on. */
const deadlineMs = 5_000;
const maxNames = 5_000;
const maxOutputBytes = 16 * 1_024 * 1_024;

/**
 * Prints what the last of the words can become, as kubectl expects it of kubectl_complete-podcap: a candidate on each
 * line, a tab and its description, and at the end a line with a colon and the sum of what is to be done with them. Errors
 * are silent: there is no place to show them.
 */
export async function printCandidates(
  args: readonly string[],
  {
    commands,
    terminal,
    signal,
  }: { readonly commands: readonly CliCommand[]; readonly terminal: Terminal; readonly signal: AbortSignal },
): Promise<number> {
  const candidates = candidatesFor(args, commands);
  const current = (args.at(-1) ?? '').replace(/^--[^=]+=/, '');
  const words = (await wordsOf(candidates, terminal, signal)).filter(({ word }) => word.startsWith(current));
  const lines = words.map(({ word, description }) => (description === '' ? word : `${word}\t${description}`));
  const code = await printText(terminal, [...lines, `:${directive(candidates, words)}`, ''].join('\n'));
  return code === exitCodes.done ? code : exitCodes.failed;
}

/** Of cobra, kubectl's library for command lines: their sum is what the shell does with the candidates. */
const directives = { noSpace: 2, noFiles: 4 } as const;

function directive(candidates: Candidates, words: readonly CandidateWord[]): number {
  if (candidates.kind === 'files') return 0;
  const isUnfinished =
    (candidates.kind === 'words' && candidates.isUnfinished === true) ||
    (words.length > 0 && words.every(({ word }) => word.endsWith('/')));
  return directives.noFiles + (isUnfinished ? directives.noSpace : 0);
}

async function wordsOf(
  candidates: Candidates,
  { env }: Terminal,
  signal: AbortSignal,
): Promise<readonly CandidateWord[]> {
  switch (candidates.kind) {
    case 'files':
      return [];
    case 'words':
      return candidates.words;
    case 'names': {
      const { kubectlArguments, prefix, without, otherwise } = candidates;
      const names = await namesFrom(kubectlArguments, env, signal);
      const wanted = names.filter((name) => !without.includes(name));
      return [...wanted.map((name) => ({ word: `${prefix}${name}`, description: '' })), ...otherwise];
    }
  }
}

async function namesFrom(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const running = promisify(execFile)(kubectlProgram(env), args, {
      env,
      maxBuffer: maxOutputBytes,
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
    });
    // Nobody can answer a prompt here.
    running.child.stdin?.end();
    const { stdout } = await running;
    return stdout
      .split('\n')
      .map((line) => line.split(/\s/, 1)[0] ?? '')
      .filter((name) => isName.test(name))
      .slice(0, maxNames);
  } catch {
    return [];
  }
}

/** Nothing that a shell or a terminal acts on. Names of contexts have more than those of objects. */
const isName = /^[\w@%+=:,./-]+$/;
