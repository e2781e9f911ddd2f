import { expect, test } from 'vitest';
import type { Pod } from '../kubernetes/pod.ts';
import { type Decision, type Evidence, plan } from './plan.ts';

const limits = { maxFiles: 100 };
const uid = 'uid-1';

type Case = {
  readonly what: string;
  /** Undefined: the Pod is gone. */
  readonly pod?: Partial<Pod>;
  readonly evidence?: Evidence;
  readonly hasFolder: boolean;
  /** Undefined: nothing is decided. */
  readonly decision: Partial<Decision> | undefined;
};

const wanted = { 'tcpdump.antrea.io': '5' };
const bad = { 'tcpdump.antrea.io': 'five' };

const cases: readonly Case[] = [
  { what: 'a Pod without the annotation', pod: {}, hasFolder: false, decision: undefined },
  {
    what: 'an annotated Pod',
    pod: { annotations: wanted },
    hasFolder: false,
    decision: { kind: 'record', spec: { files: 5 } },
  },
  {
    what: 'an annotated Pod with captures',
    pod: { annotations: wanted },
    hasFolder: true,
    decision: { kind: 'record' },
  },
  {
    what: 'an annotated Pod that is marked for deletion, which still sends',
    pod: { annotations: wanted, deletionTimestamp: '2026-01-01T00:00:00Z' },
    hasFolder: true,
    decision: { kind: 'record' },
  },
  {
    what: 'an annotated Pod that failed',
    pod: { annotations: wanted, phase: 'Failed' },
    hasFolder: true,
    decision: { kind: 'keep' },
  },
  {
    what: 'an annotated Pod that was done before',
    pod: { annotations: wanted, phase: 'Succeeded' },
    hasFolder: false,
    decision: undefined,
  },
  { what: 'a Pod that is gone', hasFolder: true, decision: { kind: 'keep' } },
  {
    what: 'an annotation that was removed, as a watch event told',
    pod: {},
    hasFolder: true,
    decision: { kind: 'delete', evidence: 'watched' },
  },
  {
    what: 'an annotation that is missing in a list, which can lie in the past',
    pod: {},
    evidence: 'listed',
    hasFolder: true,
    decision: { kind: 'delete', evidence: 'listed' },
  },
  {
    what: 'an annotation that was removed from a Pod that had failed',
    pod: { phase: 'Failed' },
    hasFolder: true,
    decision: { kind: 'delete' },
  },
  {
    what: 'a value that is not allowed',
    pod: { annotations: bad },
    hasFolder: false,
    decision: { kind: 'refuse', refusal: { reason: 'InvalidAnnotation', message: expect.any(String) } },
  },
  {
    what: 'a value that is not allowed any more',
    pod: { annotations: bad },
    hasFolder: true,
    decision: { kind: 'refuse' },
  },
  {
    what: 'a Pod on the host network',
    pod: { annotations: wanted, hostNetwork: true },
    hasFolder: false,
    decision: { kind: 'refuse', refusal: { reason: 'HostNetwork', message: expect.any(String) } },
  },
];

test.each(cases)('$what', ({ pod, evidence = 'watched', hasFolder, decision }) => {
  const pods = new Map(pod ? [[uid, { pod: podWith(pod), evidence }]] : []);
  const planned = plan({ pods, folders: new Set(hasFolder ? [uid] : []), limits }).get(uid);
  expect({ decision: planned }).toMatchObject({ decision });
});

test('Pods and folders of many UIDs get one decision each', () => {
  const pods = new Map(
    ['a', 'b', 'c'].map((name) => [
      name,
      { pod: podWith({ uid: name, annotations: wanted }), evidence: 'watched' } as const,
    ]),
  );
  const planned = plan({ pods, folders: new Set(['b', 'x']), limits });
  expect([...planned].map(([key, { kind }]) => `${key} ${kind}`)).toEqual([
    'a record',
    'b record',
    'c record',
    'x keep',
  ]);
});

function podWith(fields: Partial<Pod>): Pod {
  return {
    namespace: 'default',
    name: 'web',
    uid,
    resourceVersion: '1',
    annotations: {},
    hostNetwork: false,
    nodeName: 'node1',
    phase: 'Running',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...fields,
  };
}
