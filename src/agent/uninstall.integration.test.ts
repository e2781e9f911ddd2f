import { expect, test } from 'vitest';
import { until } from '../base/until.ts';
import { list } from '../kubernetes/testing/api-server.ts';
import { podObject } from '../kubernetes/testing/pod-object.ts';
import { agentScene } from './testing/agent-scene.ts';

const daemonSet = { namespace: 'kube-system', name: 'podcap' };

test.each([
  ['is being deleted', { deletionTimestamp: '2026-01-01T00:00:00Z' }, 1],
  ['exists', {}, 0],
])(
  'an agent that stops while its DaemonSet $0 writes $2 last Events on its captured Pod',
  async (_state, metadata, events) => {
    await using scene = await agentScene({ settings: { daemonSet } });
    scene.server.objects.set('/apis/apps/v1/namespaces/kube-system/daemonsets/podcap', { metadata });
    scene.server.script.list.push(list('5', [podObject('web', '4', { 'tcpdump.antrea.io': '2' })]));
    await using agent = await scene.start();
    await until(() => scene.eventReasons().includes('CaptureStarted'), { what: 'the Event' });
    await agent.stop();
    const stopped = scene
      .events()
      .filter((event) =>
        event.startsWith(
          'CaptureStopped: Podcap is being uninstalled, the capture files stay on the Node; packets',
        ),
      );
    expect(stopped).toHaveLength(events);
    expect(scene.eventReasons().filter((reason) => reason === 'CaptureStopped')).toHaveLength(events);
  },
);
