import {
  annotationRules,
  type CaptureSpec,
  captureAnnotation,
  mostLimits,
  requestOf,
} from '../../agent/planner/annotations.ts';
import type { CliOption, GivenArguments } from '../cli-command.ts';
import { optionText, wrongUsage } from '../given-arguments.ts';
import { shellWord } from '../target-arguments.ts';

/** What the options of `start` ask for. */
export type WantedCapture = {
  /** As annotations of a Pod, only those whose options were given, and the one that asks for the capture. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The same as an agent understands it. */
  readonly spec: CaptureSpec;
  /** No option says what to capture: whatever a Pod asks for already is fine. */
  readonly isUnspecified: boolean;
};

const defaultFiles = '5';

/** The agents' own rules: only they know their limits, which can be lower. */
const rules = annotationRules(mostLimits);

/** The rule of each option. */
const requestRules = {
  files: rules.files,
  'file-size': rules.fileMegabytes,
  interface: rules.interfaces,
  filter: rules.filter,
  snaplen: rules.snaplen,
  duration: rules.duration,
  'freeze-on': rules.freezeOn,
  'freeze-after': rules.freezeAfter,
} as const;

/** Each annotation that asks for something as an option. */
export const requestOptions: readonly CliOption[] = [
  {
    name: 'files',
    value: 'N',
    description: `keeps as many of the newest packets as N files hold; default ${defaultFiles}`,
  },
  { name: 'file-size', value: 'MB', description: rules.fileMegabytes.effect },
  { name: 'interface', short: 'i', value: 'NAME[,NAME]', description: rules.interfaces.effect },
  { name: 'filter', value: 'EXPRESSION', description: rules.filter.effect },
  { name: 'snaplen', value: 'BYTES', description: rules.snaplen.effect },
  { name: 'duration', value: 'DURATION', description: rules.duration.effect },
  {
    name: 'freeze-on',
    value: 'CAUSE[,CAUSE]',
    choices: ['restart', 'oom-killed', 'not-ready', 'failed'],
    description: rules.freezeOn.effect,
  },
  { name: 'freeze-after', value: 'DURATION', description: rules.freezeAfter.effect },
];

/** Checks the values as an agent does. Throws CommandFailure (wrong usage) in its words. */
export function wantedCapture(given: GivenArguments): WantedCapture {
  const annotations: Record<string, string> = {};
  for (const [name, { key, parse, allowed }] of Object.entries(requestRules)) {
    const text = optionText(given, name);
    if (text === undefined) continue;
    if (parse(text) === undefined) throw wrongUsage(`--${name}=${JSON.stringify(text)}: must be ${allowed}`);
    annotations[key] = text;
  }
  const isUnspecified = Object.keys(annotations).length === 0;
  const asked = { [captureAnnotation]: defaultFiles, ...annotations };
  const request = requestOf({ annotations: asked, hostNetwork: false }, mostLimits);
  if (request.kind !== 'capture') throw new Error('the values were checked');
  return { annotations: asked, spec: request.spec, isUnspecified };
}

/** The options that ask for the same, as they are written in a command line; empty if none does. */
export function optionsText({ annotations, isUnspecified }: WantedCapture): string {
  if (isUnspecified) return '';
  return Object.entries(requestRules)
    .flatMap(([name, { key }]) => {
      const text = annotations[key];
      return text === undefined ? [] : [`--${name} ${shellWord(text)}`];
    })
    .join(' ');
}
