import type { Readable } from 'node:stream';
import type { Terminal } from '../commands/terminal.ts';
import type { Kubectl } from './kubectl/kubectl.ts';

/**
 * A command of `kubectl podcap`, as data: its help, the man page, the completion and the check of its options come from
 * this.
 *
 *     argv ─> main ─> CliCommand.run(arguments, context) ─> exit code
 *                        │
 *                        └─> openCluster(kubectl) ─> kubectl proxy ─> API server ─> hub ─> agent
 */
export type CliCommand = {
  readonly name: string;
  /** A phrase, for the list of commands. */
  readonly summary: string;
  /** What follows the name: "POD... | TYPE/NAME | -l SELECTOR [options]". */
  readonly usage: string;
  /** Paragraphs of at most 78 columns, for --help and the man page. */
  readonly description: string;
  readonly options: readonly CliOption[];
  /** Three that work as they are. */
  readonly examples: readonly CliExample[];
  /** What its arguments without a dash are, for completion. */
  readonly positionals: 'targets' | 'captures' | 'files' | 'shells' | 'commands' | 'none';
  /** Returns the exit code. Throws CommandFailure for what a person can cause, other errors for bugs. */
  readonly run: (given: GivenArguments, context: CommandContext) => Promise<number>;
};

/** Every command has --help and the global options of kubectl besides. */
export type CliOption = {
  /** Without dashes. */
  readonly name: string;
  readonly short?: string;
  /** What the value is called in the help: "DURATION". An option without one is a flag. */
  readonly value?: string;
  readonly description: string;
  readonly isRepeatable?: true;
  /** For completion, and the check. */
  readonly choices?: readonly string[];
};

export type CliExample = {
  /** "Keep the last 50 MB of web's packets" */
  readonly purpose: string;
  /** Without the prompt: "kubectl podcap start web --files 50". */
  readonly command: string;
};

/** What was given, checked against the options of the command: a flag is true, a repeatable option has all its values. */
export type GivenArguments = {
  readonly positionals: readonly string[];
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
};

export type CliTerminal = Terminal & { readonly stdin: Readable & { readonly isTTY?: boolean } };

export type CommandContext = {
  readonly terminal: CliTerminal;
  readonly kubectl: Kubectl;
  /** Aborted by SIGINT, SIGTERM and SIGHUP: a command then ends what it does and says what it has. */
  readonly signal: AbortSignal;
};

/** What a person can cause: says what happened, where, and what to do. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
