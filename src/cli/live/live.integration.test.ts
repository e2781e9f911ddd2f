import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { built } from '../../../tools/go-program.ts';
import { readBytes } from '../../pcap/testing/read-capture.ts';
import { temporaryFolder } from '../../testbed/temporary-folder.ts';
import { memoryDisk } from '../../testbed/test-disk.ts';
import { cliProgram, hubScene, type StreamAnswerer } from '../testing/hub-scene.ts';
import { recordingBytes } from '../testing/memory-streams.ts';
import { terminalShell } from '../testing/terminal-shell.ts';

// The first run builds kubectl, which takes minutes.
beforeAll(() => built('kubectl'), 1_200_000);

/** As long as there is a reader. */
const sendsOn =
  (bytes: Uint8Array): StreamAnswerer =>
  (stream) =>
    stream.data(bytes);

function podObject(name: string): object {
  return {
    metadata: { name, namespace: 'shop', uid: `uid-of-${name}` },
    spec: { nodeName: 'n1' },
    status: { phase: 'Running' },
  };
}

const pods = { 'pods/web': podObject('web'), 'pods/db': podObject('db') };

test('prints the packets of two Pods until Ctrl-C, with counts', async () => {
  await using hub = await hubScene(
    {
      'web/attach': [sendsOn(recordingBytes('web', [1, 3]))],
      'db/attach': [sendsOn(recordingBytes('db', [2]))],
    },
    pods,
  );
  await using shell = terminalShell('bash --norc', { ...hub.env, NO_COLOR: '1' });
  shell.type(`${cliProgram.join(' ')} live web db --filter 'tcp port 80'; echo "ended with $?"\n`);
  expect(await shell.shows('00:00:03.000000 web ')).toMatch(/:01\.0+ web [^]*:02\.0+ db /);
  shell.type('\u0003');
  await shell.shows('3 packets of 2 Pods');
  await shell.shows('ended with 0');
  expect(hub.asked()).toContain('captures/web/attach?filter=tcp%20port%2080&node=n1');
});

test('a value that is not allowed is refused in the words of the agent, before anything is asked', async () => {
  await using hub = await hubScene({});
  await using watching = hub.run(['live', 'web', '--interface', 'any']);
  const { code, stderr } = await watching.ended;
  expect(code).toBe(2);
  expect(stderr).toContain('--interface="any": must be the names of 1 to 4 interfaces of the Pod');
  expect(hub.asked()).toEqual([]);
});

test('a user who may not see Pods can still watch one by its name', async () => {
  await using hub = await hubScene({
    'pods/web': [(stream) => stream.refuse(403, 'Forbidden', 'pods "web" is forbidden')],
    'web/attach': [sendsOn(recordingBytes('web', [1]))],
  });
  await using watching = hub.run(['live', 'web', '--count', '1']);
  expect(await watching.ended).toMatchObject({ code: 0, stdout: expect.any(Buffer) });
  expect(hub.asked()).toContain('captures/web/attach');
});

test('a reader that closes the pipe ends it', async () => {
  await using hub = await hubScene(
    {
      'web/attach': [
        async (stream) => {
          for (let isOpen = true; isOpen; ) {
            stream.data(recordingBytes('web', [1]));
            isOpen = await Promise.race([
              stream.closed.then(() => false),
              new Promise<boolean>((resolve) => setImmediate(resolve, true)),
            ]);
          }
        },
      ],
    },
    pods,
  );
  await using shell = terminalShell('bash --norc', hub.env);
  shell.type(`${cliProgram.join(' ')} live web | head -n 2; echo "ended with \${PIPESTATUS[0]}"\n`);
  expect(await shell.shows('ended with 0')).toContain('00:00:01.000000 ');
});

test('a capture is complete after Ctrl-C', async () => {
  await using folder = await temporaryFolder();
  const to = join(folder.path, 'live.pcapng');
  await using hub = await hubScene({ 'web/attach': [sendsOn(recordingBytes('web', [1, 2]))] }, pods);
  await using watching = hub.run(['live', 'web', '--to', to]);
  const partBytes = async () => (await readFile(`${to}.part`).catch(() => '')).length;
  await expect.poll(partBytes, { timeout: 20_000 }).toBeGreaterThan(150);
  watching.child.kill('SIGINT');
  expect(await watching.ended).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('2 packets of 1 Pod'),
  });
  const { packets, damage } = await readBytes(await readFile(to));
  expect([packets.length, damage]).toEqual([2, []]);
});

test('a disk that is full ends it, and what was written before stays', async () => {
  await using disk = await memoryDisk(1);
  await using hub = await hubScene(
    {
      'web/attach': [
        sendsOn(
          recordingBytes(
            'web',
            Array.from({ length: 40_000 }, () => 1),
          ),
        ),
      ],
    },
    pods,
  );
  await using watching = hub.run(['live', 'web', '--to', join(disk.path, 'live.pcapng')]);
  const { code, stderr } = await watching.ended;
  expect([code, stderr]).toEqual([3, expect.stringMatching(/live\.pcapng cannot be written: ENOSPC/)]);
  const { packets } = await readBytes(await readFile(join(disk.path, 'live.pcapng')));
  expect(packets.length).toBeGreaterThan(10_000);
});

test('a missing Wireshark is said before anything is asked', async () => {
  await using folder = await temporaryFolder();
  await using hub = await hubScene({}, pods);
  await using watching = hub.run(['live', 'web', '--wireshark'], { env: { PATH: folder.path } });
  const { code, stderr } = await watching.ended;
  expect(code).toBe(1);
  expect(stderr).toContain('Wireshark was not found: install it');
  expect(hub.asked()).toEqual([]);
});

test('Wireshark gets the packets with a column for the Pod, and ends the command when it is closed', async () => {
  await using folder = await temporaryFolder();
  // It takes the same arguments, except for -k.
  const program = `#!/bin/sh\nshift\nexec tshark -l -c 3 "$@" > ${folder.path}/shown\n`;
  await writeFile(join(folder.path, 'wireshark'), program);
  await chmod(join(folder.path, 'wireshark'), 0o755);
  await using hub = await hubScene(
    {
      'web/attach': [sendsOn(recordingBytes('web', [1, 3]))],
      'db/attach': [sendsOn(recordingBytes('db', [2]))],
    },
    pods,
  );
  await using shell = terminalShell('bash --norc', { ...hub.env, PATH: `${folder.path}:${hub.env['PATH']}` });
  shell.type(`${cliProgram.join(' ')} live web db --wireshark; echo "ended with $?"\n`);
  await shell.shows('ended with 0');
  const shown = await readFile(join(folder.path, 'shown'), 'utf8');
  expect([...shown.matchAll(/\w+\/eth0/g)].map(([name]) => name)).toEqual([
    'web/eth0',
    'db/eth0',
    'web/eth0',
  ]);
});
