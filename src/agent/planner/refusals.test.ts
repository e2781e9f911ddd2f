import { expect, test } from 'vitest';
import {
  diskAlmostFull,
  evictionsPending,
  hostNetwork,
  invalidAnnotation,
  invalidFilter,
  invalidPolicy,
  neverFits,
  noSuchInterface,
  overDiskBudget,
  type Refusal,
  tooManyCaptures,
  unknownAnnotation,
  unknownPolicyField,
} from './refusals.ts';

test.each<[Refusal, string]>([
  [
    invalidAnnotation('tcpdump.antrea.io', 'five\n', 'a whole number'),
    'InvalidAnnotation: annotation tcpdump.antrea.io="five\\n": must be a whole number',
  ],
  [
    unknownAnnotation('podcap.dev/filters', { near: 'podcap.dev/filter', options: [] }),
    'InvalidAnnotation: annotation podcap.dev/filters is unknown: did you mean podcap.dev/filter?',
  ],
  [
    unknownAnnotation('podcap.dev/x', {
      near: undefined,
      options: ['podcap.dev/filter', 'podcap.dev/snaplen'],
    }),
    'InvalidAnnotation: annotation podcap.dev/x is unknown: must be one of podcap.dev/filter, podcap.dev/snaplen',
  ],
  [
    hostNetwork,
    'HostNetwork: the Pod uses the host network: a capture of its interface would show the packets of every Pod',
  ],
  [
    invalidFilter('annotation podcap.dev/filter', 'tcp port', "can't parse filter expression: syntax error"),
    `InvalidFilter: annotation podcap.dev/filter="tcp port": can't parse filter expression: syntax error`,
  ],
  [
    invalidPolicy('web', { field: 'files', value: 0, allowed: 'a whole number' }),
    'InvalidPolicy: CapturePolicy web: spec.files=0: must be a whole number',
  ],
  [
    invalidPolicy('web', { field: 'filter', value: 'x'.repeat(50), allowed: 'an expression' }),
    `InvalidPolicy: CapturePolicy web: spec.filter="${'x'.repeat(39)}…: must be an expression`,
  ],
  [
    invalidPolicy('web', { field: 'files', value: undefined, allowed: 'a whole number' }),
    'InvalidPolicy: CapturePolicy web: spec.files is missing: must be a whole number',
  ],
  [
    unknownPolicyField('web', 'filtr', { near: 'filter', options: [] }),
    'InvalidPolicy: CapturePolicy web: spec.filtr is unknown: did you mean filter?',
  ],
  [
    unknownPolicyField('web', 'x'.repeat(50), { near: undefined, options: ['files', 'filter'] }),
    `InvalidPolicy: CapturePolicy web: spec.${'x'.repeat(40)}… is unknown: must be one of files, filter`,
  ],
  [
    noSuchInterface('net7', 30_000),
    'NoSuchInterface: the Pod has no interface net7; the agent checks again every 30 s',
  ],
  [
    tooManyCaptures(100, 1),
    'OverBudget: this Node runs at most 100 captures at a time: this one starts when another one ends',
  ],
  [
    tooManyCaptures(100, 2),
    'OverBudget: this Node runs at most 100 captures at a time, one for each interface: these 2 start when others end',
  ],
  [
    tooManyCaptures(1, 2),
    'OverBudget: this Node runs at most 1 captures at a time, one for each interface: it cannot start on this Node unless you ask for fewer interfaces',
  ],
  [
    neverFits(10_126_479_000, 10_000_000_000),
    'OverBudget: the capture may use 10127 MB, and all captures on this Node together may use 10000 MB: it cannot start on this Node unless you ask for fewer or smaller files',
  ],
  [
    overDiskBudget(6_420_000, 16_000_000),
    'OverBudget: the capture may use 7 MB, and other captures leave less of the 16 MB that all captures on this Node together may use: it starts when enough of them have ended; fewer or smaller files may fit now',
  ],
  [
    diskAlmostFull(6_420_000, 0.9),
    "DiskAlmostFull: the capture may use another 7 MB, but 90 % of the Node's disk must stay free: it starts when there is enough free space; fewer or smaller files may fit now",
  ],
  [
    evictionsPending('budgetBytes'),
    'OverBudget: the capture starts when captures that are not needed any more are deleted; the agent has not been able to delete them yet, because the API server must confirm it or because of an error in its log',
  ],
])('$0.reason reads as a sentence with its facts', ({ reason, message }, words) => {
  expect(`${reason}: ${message}`).toBe(words);
});
