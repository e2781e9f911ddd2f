import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { linkProtocol } from '../../link/protocol.ts';
import { agentToken } from '../testing/agent-token.ts';
import { type LinkScene, linkScene } from '../testing/link-scene.ts';

/** An agent that has been accepted, and then sends bytes of its own making instead of HTTP/2. */
async function rawAgent({ port, certificate }: LinkScene): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: certificate.cert, ALPNProtocols: [linkProtocol] });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.write(`${JSON.stringify({ token: agentToken({ node: 'hostile' }), version: '1.2.3' })}\n`);
  await once(socket, 'data');
  return socket;
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

const settings = frame(0x4, 0, 0);
const settingsAck = frame(0x4, 1, 0);
const begun = Buffer.concat([settings, settingsAck]);
const many = (each: Buffer, times: number) => Buffer.concat(Array.from({ length: times }, () => each));
/** The head of an answer, `:status: 200`, of which more is to come. */
const openHead = frame(0x1, 0, 1, Buffer.from([0x88]));
/** A header without a name in a table: x: and 16,000 characters. */
const bigHeader = Buffer.concat([
  Buffer.from([0x00, 0x01, 0x78, 0x7f, 0x81, 0x7c]),
  Buffer.alloc(16_000, 0x61),
]);

test.each([
  ['something else than HTTP/2', Buffer.from('HTTP/1.1 200 OK\r\n\r\n'.repeat(100))],
  ['a frame that is too large', Buffer.concat([begun, Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])])],
  ['a request', Buffer.concat([begun, frame(0x1, 0x5, 2, Buffer.from([0x82, 0x84, 0x86]))])],
  ['a push', Buffer.concat([begun, frame(0x5, 0x4, 1, Buffer.from([0, 0, 0, 2, 0x82, 0x84, 0x86]))])],
  [
    'a window that overflows',
    Buffer.concat([begun, many(frame(0x8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])), 2)]),
  ],
  ['a head without an end', Buffer.concat([begun, openHead, many(frame(0x9, 0, 1, bigHeader), 2_000)])],
  ['a goodbye', Buffer.concat([begun, frame(0x7, 0, 0, Buffer.alloc(8))])],
  ['a flood of settings', many(settings, 200_000)],
  ['a flood of pings', Buffer.concat([begun, many(frame(0x6, 0, 0, Buffer.alloc(8)), 200_000)])],
  [
    'a flood of data that nobody asked for',
    Buffer.concat([begun, many(frame(0x0, 0, 9, Buffer.alloc(1_000)), 5_000)]),
  ],
])('an agent that sends %s loses its link, and another keeps its own', async (_what, bytes) => {
  await using scene = await linkScene();
  await using other = await scene.connect();
  const hostile = await rawAgent(scene);
  // It reads nothing of what it is answered.
  hostile.pause();
  hostile.write(bytes);
  await until(
    () => scene.server.agents.ofNode('hostile').length === 0 && scene.server.counts().accepted === 2,
    {
      what: 'the link to end',
    },
  );
  expect(other.isClosed()).toBe(false);
  hostile.destroy();
});

test.each([
  ['window updates', frame(0x8, 0, 0, Buffer.from([0, 0, 0, 1]))],
  ['alternative services', frame(0xa, 0, 0, Buffer.from('\u0000\u0001ah2=":1"'))],
  ['answers of one byte in each frame', frame(0x0, 0, 1, Buffer.from('\n'))],
])('an agent that sends %s without end is cut off, and must wait', async (_what, each) => {
  await using scene = await linkScene();
  await using other = await scene.connect();
  const hostile = await rawAgent(scene);
  hostile.resume();
  hostile.write(Buffer.concat([begun, frame(0x1, 0x4, 1, Buffer.from([0x88]))]));
  const flood = many(each, 5_000);
  const send = () => {
    while (!hostile.destroyed && hostile.write(flood));
  };
  hostile.on('drain', send);
  send();
  await until(() => hostile.destroyed, { what: 'the link to end' });
  expect(scene.log).toContainEqual({
    message: 'an agent has gone',
    fields: expect.objectContaining({ reason: 'Flood' }),
  });
  await using again = await scene.connect({ token: agentToken({ node: 'hostile' }) });
  expect(again.welcome).toMatchObject({ kind: 'refused', reason: 'Flood' });
  expect(other.isClosed()).toBe(false);
});

test.each([
  ['alternative services', frame(0xa, 0, 0, Buffer.from('\u0000\u0001ah2=":1"'))],
  ['origins', frame(0xc, 0, 0, Buffer.from('\u0000\u0009https://a'))],
  ['frames of an unknown kind', frame(0x77, 0, 0, Buffer.alloc(100))],
  ['priorities', frame(0x2, 0, 9, Buffer.alloc(5))],
])('%s are ignored', async (_what, ignored) => {
  await using scene = await linkScene();
  const hostile = await rawAgent(scene);
  hostile.resume();
  hostile.write(Buffer.concat([begun, many(ignored, 1_000)]));
  await until(() => hostile.bytesWritten > 9_000, { what: 'the frames to be sent' });
  hostile.write(frame(0x6, 0, 0, Buffer.alloc(8)));
  await once(hostile, 'data');
  expect(scene.server.agents.ofNode('hostile')).toHaveLength(1);
  hostile.destroy();
});
