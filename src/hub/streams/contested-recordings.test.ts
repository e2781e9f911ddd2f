import { expect, test } from 'vitest';
import { until } from '../../base/until.ts';
import { linkPaths, type ReportLine } from '../../link/protocol.ts';
import { captureStore } from '../captures/capture-store.ts';
import { recordingLine } from '../testing/reporting-agent.ts';
import { sends } from './testing/scripted-streams.ts';
import { streamScene } from './testing/stream-scene.ts';

// What an agent can do that lies, to the recordings of other Nodes: over real links, with what the hub makes of the reports.

const uid = 'uid-of-web';
/** What the agent of node-1 says, which has the Pod. */
const right = recordingLine({ name: 'web', uid, status: { startTime: '2026-11-30T10:00:00Z' } });

/** A hub with the right agent of node-1, and one of node-2 that reports `lies`. */
async function withLiar(lies: readonly ReportLine[], truth: readonly ReportLine[] = [right]) {
  await using opening = new AsyncDisposableStack();
  const store = opening.use(captureStore());
  const scene = await streamScene({ store });
  const honest = await scene.agent('node-1', { [linkPaths.recording]: sends('packets') }, truth);
  const liar = await scene.agent('node-2', { [linkPaths.recording]: sends('forged packets') }, lies);
  opening.use(honest);
  opening.use(liar);
  await until(() => store.counts().syncedAgents === 2, { what: 'both agents to be synced' });
  const opened = opening.move();
  return {
    honest,
    liar,
    audited: scene.audited,
    async log(query = '') {
      const { status, body } = await scene.get(`shop/web/log${query}`);
      const text = body.toString('utf8');
      return status === 200 ? { status, text } : { status, text: String(JSON.parse(text).message) };
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

const claim = recordingLine({ name: 'web', uid, status: { startTime: '2026-11-30T11:00:00Z' } });
const newer = (phase: 'Capturing' | 'Ended') =>
  recordingLine({ name: 'web', uid: 'forged', status: { phase, startTime: '2026-11-30T11:00:00Z' } });

test.for([
  ['claims the Pod', [claim], ''],
  ['claims the Pod, whose UID is named', [claim], `?uid=${uid}`],
  ['says that a newer Pod of that name runs there', [newer('Capturing')], ''],
  ['says that a newer Pod of that name has run there', [newer('Ended')], ''],
  ['says both', [claim, newer('Ended')], ''],
] as const)('an agent that %s gets no download, and does not keep the Node from being named', async (lie) => {
  const [, lies, query] = lie;
  await using hub = await withLiar(lies);
  expect(await hub.log(query)).toEqual({
    status: 409,
    text:
      'agents of several Nodes say that they have the recording of Pod web in namespace shop: node-1, node-2; ' +
      'the Pod has just moved, or one of them is wrong, or lies: name the Node of the Pod with ?node=',
  });
  expect(await hub.log(`${query === '' ? '?' : `${query}&`}node=node-1`)).toEqual({
    status: 200,
    text: 'packets',
  });
  expect(hub.liar.requests.filter((each) => each.includes(linkPaths.recording))).toEqual([]);
  // The agent is not asked for what is the hub's.
  expect(hub.honest.requests).toContain(`GET ${linkPaths.recording}?uid=${uid}`);
  expect(hub.audited().slice(0, 2)).toMatchObject([
    { event: 'StreamRefused', reason: 'Conflict', code: 409 },
    { event: 'StreamStarted', node: 'node-1', recording: uid },
  ]);
});

test('a claim that is older than the namespace contests nothing', async () => {
  const old = recordingLine({ name: 'web', uid, status: { startTime: '2026-01-01T00:00:00Z' } });
  await using hub = await withLiar([old]);
  expect(await hub.log()).toEqual({ status: 200, text: 'packets' });
});

test('a Pod that has ended contests no newer one: only its Node or its UID tell it from what is forged', async () => {
  const ended = recordingLine({
    name: 'web',
    uid,
    status: { phase: 'Ended', startTime: '2026-11-30T10:00:00Z' },
  });
  await using hub = await withLiar([newer('Ended')], [ended]);
  expect((await hub.log()).text).toBe('forged packets');
  expect((await hub.log(`?uid=${uid}`)).text).toBe('packets');
  expect((await hub.log('?node=node-1')).text).toBe('packets');
});
