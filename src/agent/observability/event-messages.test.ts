import { expect, test } from 'vitest';
import { specOf } from '../testing/fixtures.ts';
import type { CaptureReport } from './capture-status.ts';
import { eventMessageOf, lossMessageOf, progressMessageOf, reportByEvent } from './event-messages.ts';

const ofBoth = specOf(5, { interfaces: ['eth0', 'lo'] });
const place = { nodeName: 'node1', isUninstall: () => false };
const totals = {
  captured: 90,
  dropped: 7,
  lostAtStop: 3,
  pruned: 50,
  missed: 2,
  duplicated: 0,
  unseen: 0,
  capturedMs: 1_000,
};
const spec = specOf(5);
const special = specOf(1, {
  fileMegabytes: 10,
  interfaces: ['lo'],
  filter: 'udp port 53',
  snaplen: 128,
  durationMs: 90_000,
});

const cases: readonly [CaptureReport, string | undefined][] = [
  [{ kind: 'waiting' }, undefined],
  [{ kind: 'deleted', why: 'RetentionOver' }, undefined],
  [
    { kind: 'capturing', generation: 1, spec, missedBefore: { kind: 'first', packets: 0 } },
    'Normal CaptureStarted: capturing eth0, keeping the last 5 files of 1 MB on node1; no packet passed before',
  ],
  [
    {
      kind: 'capturing',
      generation: 1,
      spec: specOf(5, { policy: 'web-crashes' }),
      missedBefore: { kind: 'first', packets: 0 },
    },
    'Normal CaptureStarted: capturing eth0, keeping the last 5 files of 1 MB on node1, as CapturePolicy web-crashes asks; no packet passed before',
  ],
  [
    { kind: 'capturing', generation: 2, spec: special, missedBefore: { kind: 'first', packets: 1 } },
    `Normal CaptureStarted: capturing lo, keeping the last file of 10 MB, filter "udp port 53", 128 bytes of each packet, for 1m30s on node1; 1 packet passed before, including those of the network's setup, such as neighbour discovery`,
  ],
  ...(
    [
      [
        { kind: 'unknown' },
        'whether packets were missed since the previous capture is known in half a minute',
      ],
      [{ kind: 'gap', packets: 0, isSettled: true }, 'continued without a gap'],
      [{ kind: 'gap', packets: 0, isSettled: false }, 'continued without a gap'],
      [{ kind: 'gap', packets: 1, isSettled: false }, 'at most 1 packet missed since the previous capture'],
      [{ kind: 'gap', packets: 20, isSettled: true }, 'at most 20 packets missed since the previous capture'],
    ] as const
  ).map(([missedBefore, words]): [CaptureReport, string] => [
    { kind: 'capturing', generation: 4, spec, missedBefore },
    `Normal CaptureStarted: capturing eth0, keeping the last 5 files of 1 MB on node1; ${words}`,
  ]),
  [
    { kind: 'interfaceDown', generation: 1, interface: 'eth0' },
    'Warning InterfaceDown: eth0 is down: no packets pass, and capturing continues when it is up',
  ],
  [
    { kind: 'warning', generation: 1, message: 'tcpdump: WARNING: no address' },
    'Warning CaptureWarning: tcpdump continues: tcpdump: WARNING: no address',
  ],
  [
    {
      kind: 'capturing',
      generation: 2,
      spec,
      missedBefore: { kind: 'gap', packets: 10, isSettled: false },
      isOtherInterface: true,
    },
    'Warning InterfaceReplaced: another interface has become eth0: capturing eth0, keeping the last 5 files of 1 MB on node1; at most 10 packets missed since the previous capture',
  ],
  [
    { kind: 'capturing', generation: 2, spec: ofBoth, missedBefore: { kind: 'first', packets: 30 } },
    "Normal CaptureStarted: capturing eth0 and lo, keeping the last 5 files of 1 MB of each on node1; 30 packets passed before, including those of the network's setup, such as neighbour discovery",
  ],
  [
    {
      kind: 'capturing',
      generation: 3,
      spec: { ...ofBoth, interfaces: ['eth0', 'lo', 'net1'], filter: 'udp' },
      missedBefore: { kind: 'gap', packets: 2, isSettled: false, firstPackets: 7 },
      starts: [
        {
          interface: 'lo',
          generation: 2,
          missedBefore: { kind: 'first', packets: 7 },
          isOtherInterface: true,
        },
        {
          interface: 'net1',
          generation: 3,
          missedBefore: { kind: 'gap', packets: 2, isSettled: false },
          isOtherInterface: false,
        },
      ],
      isOtherInterface: true,
    },
    'Warning InterfaceReplaced: another interface has become lo: capturing eth0, lo and net1, keeping the last 5 files of 1 MB of each, filter "udp" on node1; at most 2 packets missed since the previous capture, and 7 packets passed interfaces that were not captured before',
  ],
  [
    {
      kind: 'capturing',
      generation: 1,
      spec,
      missedBefore: { kind: 'first', packets: 0 },
      refused: [
        { interface: 'net1', refusal: { reason: 'NoSuchInterface', message: 'no interface net1' } },
        { interface: 'net2', refusal: { reason: 'NoSuchInterface', message: 'no interface net2' } },
      ],
    },
    'Warning NoSuchInterface: no interface net1; no interface net2; capturing eth0, keeping the last 5 files of 1 MB on node1; no packet passed before',
  ],
  [
    { kind: 'interfaceRenamed', generation: 1, interface: 'eth0', name: '\u001b[2J' },
    'Warning InterfaceRenamed: eth0 was renamed "\\u001b[2J": it is still captured, until another interface becomes eth0',
  ],
  [
    { kind: 'failed', message: 'ended by SIGKILL' },
    'Warning CaptureFailed: will be retried: ended by SIGKILL',
  ],
  [
    { kind: 'refused', refusal: { reason: 'HostNetwork', message: 'because' } },
    'Warning HostNetwork: because',
  ],
  [
    { kind: 'stopped', why: 'PodEnded', totals },
    'Normal CaptureStopped: the Pod ended, its capture files are kept for the retention time; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 0',
  ],
  [
    { kind: 'stopped', why: 'AnnotationRemoved', totals },
    'Normal CaptureStopped: the annotation was removed, its capture files are deleted; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 0',
  ],
  [
    { kind: 'stopped', why: 'NotMatched', totals },
    'Normal CaptureStopped: no CapturePolicy asks for it any more, its capture files are kept for the retention time; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 0',
  ],
  [
    { kind: 'stopped', why: 'Refused', totals: { ...totals, duplicated: 4 } },
    'Normal CaptureStopped: the request is refused, the capture files so far are kept; packets captured: 90 (4 of them duplicated), dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 0',
  ],
  [
    { kind: 'stopped', why: 'DurationReached', totals: { ...totals, unseen: undefined } },
    'Normal CaptureStopped: the duration is over, the capture files are kept; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: unknown',
  ],
  [
    { kind: 'stopped', why: 'DurationReached', totals: { ...totals, unseen: 7, isUnseenPartial: true } },
    'Normal CaptureStopped: the duration is over, the capture files are kept; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 7 (unknown for a part)',
  ],
  [{ kind: 'stopped', why: 'AgentStopped', totals }, undefined],
];

test.each(cases)('the Event about %j', (status, expected) => {
  const event = eventMessageOf(status, place);
  expect(event && `${event.type} ${event.reason}: ${event.message}`).toBe(expected);
});

test('a gap that is known only later corrects the Event of its start', () => {
  const started = { kind: 'capturing', generation: 4, spec } as const;
  const unknown = eventMessageOf({ ...started, missedBefore: { kind: 'unknown' } }, place);
  const missedBefore = { kind: 'gap', packets: 7, isSettled: true } as const;
  const settled = eventMessageOf({ ...started, missedBefore }, place);
  expect(unknown?.subject).toBeDefined();
  expect(settled).toMatchObject({ subject: unknown?.subject, reason: unknown?.reason, isCorrection: true });
});

const whole = { ...totals, dropped: 9_000, missed: 30 };

test.each([
  [
    { dropped: 8_500, lostAtStop: 0, missed: 0 },
    '8500 dropped by the kernel (9000 in all), because tcpdump did not keep up: podcap.dev/snaplen=128, a podcap.dev/filter, more memory for receive rings (--buffer-budget-megabytes) or fewer captures on the Node help',
  ],
  [
    { dropped: 0, lostAtStop: 2, missed: 12 },
    '2 lost at stop (3 in all), because they could not be written: the Event CaptureFailed has the cause; at most 12 missed (30 in all), because nothing captured while tcpdump or the agent started again',
  ],
])('the Event about the loss %j', (more, words) => {
  const { type, reason, message } = lossMessageOf(more, whole);
  expect(`${type} ${reason}: ${message}`).toBe(`Warning PacketsLost: packets that are in no file: ${words}`);
});

test('the Event of a capture that goes on has its numbers', () => {
  const { type, reason, message } = progressMessageOf(totals, place);
  expect(`${type} ${reason}: ${message}`).toBe(
    'Normal Capturing: still capturing on node1; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 0',
  );
});

test('an Event has no control characters, whatever tcpdump quotes', () => {
  const events: string[] = [];
  const report = reportByEvent(({ message }) => events.push(message), place);
  report(
    { namespace: 'default', name: 'web', uid: 'uid-1' },
    { kind: 'failed', message: 'a \u001b[2J\u009b' },
  );
  expect(events).toEqual([String.raw`will be retried: a \u001b[2J\u009b`]);
});

test('the Event about a capture that ends because the agents are uninstalled', () => {
  const uninstalled = { ...place, isUninstall: () => true };
  expect(eventMessageOf({ kind: 'stopped', why: 'AgentStopped', totals }, uninstalled)?.message).toBe(
    'Podcap is being uninstalled, the capture files stay on the Node; packets captured: 90, dropped by kernel: 7, lost at stop: 3, pruned: 50, missed: 2, unseen: 0',
  );
  const ended = { kind: 'stopped', why: 'PodEnded', totals } as const;
  expect(eventMessageOf(ended, uninstalled)).toEqual(eventMessageOf(ended, place));
});
