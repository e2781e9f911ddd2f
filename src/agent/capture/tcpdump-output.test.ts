import { expect, test } from 'vitest';
import {
  type FilesStarted,
  type OutputLine,
  parseOutputLine,
  readTcpdumpOutput,
  type TcpdumpStatistics,
  unwrapCounts,
} from './tcpdump-output.ts';

const disappeared = 'tcpdump: pcap_loop: The interface disappeared';
const noDevice = 'tcpdump: net7: No such device exists';

test.each<[string, OutputLine]>([
  ['tcpdump: listening on eth0, link-type EN10MB (Ethernet)', { kind: 'listening' }],
  ['1 packet captured', { kind: 'finalCount', count: { captured: 1 } }],
  ['20 packets received by filter', { kind: 'finalCount', count: { received: 20 } }],
  ['3 packets dropped by kernel', { kind: 'finalCount', count: { dropped: 3 } }],
  ['0 packets dropped by interface', { kind: 'finalCount', count: {} }],
  [
    'tcpdump: 17 packets captured, 20 packets received by filter, 3 packets dropped by kernel',
    { kind: 'statistics', statistics: { captured: 17, received: 20, dropped: 3 } },
  ],
  [disappeared, { kind: 'message', text: disappeared, about: 'interfaceGone' }],
  [noDevice, { kind: 'message', text: noDevice, about: 'noSuchDevice' }],
  ['tcpdump: syntax error', { kind: 'message', text: 'tcpdump: syntax error' }],
  [
    'podcap: file 9 after 7440 packets, 930 of them pruned',
    { kind: 'files', files: { started: 9, packets: 7_440, pruned: 930 } },
  ],
  ['podcap: file deleted', { kind: 'fileDeleted' }],
  ['podcap: not written: ENOSPC', { kind: 'writeError', error: 'ENOSPC' }],
  ['podcap: 17 packets in no file', { kind: 'unwritten', packets: 17 }],
  ['podcap: interface down', { kind: 'interface', isUp: false }],
  ['podcap: interface up', { kind: 'interface', isUp: true }],
  ['podcap: keeps 5', { kind: 'keeps', files: 5 }],
  ['podcap: keeps 0', { kind: 'keeps', files: 0 }],
  ['podcap: keeps -5', { kind: 'warning', text: 'podcap: keeps -5' }],
  ['podcap: receive ring full', { kind: 'receiveRingFull' }],
  [
    'podcap: captures interface 7, named eth0; eth0 is interface 7',
    { kind: 'captured', captured: { index: 7, name: 'eth0', requestedIndex: 7 } },
  ],
  [
    'podcap: captures interface 7, named a;, named; eth0 is interface 0',
    { kind: 'warning', text: 'podcap: captures interface 7, named a;, named; eth0 is interface 0' },
  ],
  [
    'podcap: captures interface 7, named a;b,; eth0 is interface 0',
    { kind: 'captured', captured: { index: 7, name: 'a;b,', requestedIndex: undefined } },
  ],
  // Only a whole line is the library's.
  ['podcap: interface up and more', { kind: 'warning', text: 'podcap: interface up and more' }],
  [
    'podcap: filter takes too long to compile',
    { kind: 'filterProblem', problem: 'it takes too long to compile' },
  ],
  ...[
    'tcpdump: WARNING: eth0: no IPv4 address assigned',
    'Warning: Kernel filter failed: Invalid argument',
    "ERROR: ld.so: object 'podcap-preload.so' from LD_PRELOAD cannot be preloaded: ignored.",
  ].map((text): [string, OutputLine] => [text, { kind: 'warning', text }]),
  ...[
    'tcpdump: data link type LINUX_SLL2',
    '(That device is not up)',
    'podcap-spawner: /run/netns/x: Invalid argument',
    '',
  ].map((text): [string, OutputLine] => [text, { kind: 'message', text }]),
  ['tcpdump: \u001b[2J', { kind: 'message', text: 'tcpdump: ?[2J' }],
])('%j is understood', (line, output) => {
  expect(parseOutputLine(line)).toEqual(output);
});

test('the lines of one tcpdump, from its start to its end', async () => {
  const files: FilesStarted[] = [];
  const output = readTcpdumpOutput({ onFiles: (each) => files.push(each) });
  output.readLine('tcpdump: listening on eth0, link-type EN10MB (Ethernet)');
  await output.listening;
  output.readLine('podcap: file 1 after 0 packets, 0 of them pruned');
  const answer = output.nextStatistics();
  output.readLine('tcpdump: 7 packets captured, 8 packets received by filter, 0 packets dropped by kernel');
  expect(await answer).toEqual({ captured: 7, received: 8, dropped: 0 });
  expect(output.result().statistics).toBeUndefined();
  output.readLine('podcap: not written: ENOSPC');
  output.readLine('podcap: 2 packets in no file');
  for (const line of ['9 packets captured', '9 packets received by filter', '0 packets dropped by kernel'])
    output.readLine(line);
  expect(files).toEqual([{ started: 1, packets: 0, pruned: 0 }]);
  expect(output.result()).toEqual({
    message: '',
    isInterfaceGone: false,
    isNoSuchDevice: false,
    filterProblem: undefined,
    statistics: { captured: 9, received: 9, dropped: 0 },
    writeError: 'ENOSPC',
    unwritten: 2,
  });
});

test('messages are joined and cut', () => {
  const output = readTcpdumpOutput({ onFiles() {} });
  output.readLine(noDevice);
  output.readLine(`tcpdump: ${'x'.repeat(1_000)}`);
  const { message, isNoSuchDevice } = output.result();
  expect(message).toBe(`${noDevice} tcpdump: ${'x'.repeat(490 - noDevice.length)}`);
  expect(isNoSuchDevice).toBe(true);
});

test('warnings are no part of the message, and a few are passed on, each cut', () => {
  const warnings: string[] = [];
  const output = readTcpdumpOutput({ onFiles() {}, onWarning: (text) => warnings.push(text) });
  for (let line = 0; line < 100; line += 1) output.readLine(`Warning: ${line} ${'x'.repeat(1_000)}`);
  expect(warnings).toEqual([0, 1, 2, 3, 4].map((line) => `Warning: ${line} ${'x'.repeat(189)}`));
  expect(output.result().message).toBe('');
});

test('answers continue when tcpdump counts from 0 again', async () => {
  const output = readTcpdumpOutput({ onFiles() {} });
  const ask = (captured: number): Promise<TcpdumpStatistics> => {
    const answer = output.nextStatistics();
    output.readLine(
      `tcpdump: ${captured} packets captured, 5 packets received by filter, 0 packets dropped by kernel`,
    );
    return answer;
  };
  expect(await ask(4_294_967_295)).toMatchObject({ captured: 4_294_967_295 });
  expect(await ask(1)).toMatchObject({ captured: 4_294_967_297 });
});

test('each count continues on its own when tcpdump counts from 0 again', () => {
  const unwrap = unwrapCounts();
  expect(unwrap({ captured: 4_294_967_290, received: 4_294_967_295, dropped: 0 })).toEqual({
    captured: 4_294_967_290,
    received: 4_294_967_295,
    dropped: 0,
  });
  expect(unwrap({ captured: 4_294_967_295, received: 4, dropped: 0 })).toEqual({
    captured: 4_294_967_295,
    received: 4_294_967_300,
    dropped: 0,
  });
  expect(unwrap({ captured: 1 })).toEqual({ captured: 4_294_967_297 });
  for (const received of [2_000_000_000, 4_000_000_000])
    expect(unwrap({ received })).toEqual({ received: 2 ** 32 + received });
  expect(unwrap({ received: 3 })).toEqual({ received: 2 * 2 ** 32 + 3 });
  expect(unwrap({ dropped: 7 })).toEqual({ dropped: 7 });
});

test('a count that is printed after a newer one is no wrap', () => {
  const unwrap = unwrapCounts();
  expect(unwrap({ captured: 3_000, received: 3_554, dropped: 2 })).toEqual({
    captured: 3_000,
    received: 3_554,
    dropped: 2,
  });
  expect(unwrap({ captured: 3_001, received: 3_550, dropped: 0 })).toEqual({
    captured: 3_001,
    received: 3_554,
    dropped: 2,
  });
  expect(unwrap({ received: 3_600 })).toEqual({ received: 3_600 });
});
