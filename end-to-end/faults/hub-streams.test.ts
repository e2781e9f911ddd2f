import { expect } from 'vitest';
import { until } from '../../src/base/until.ts';
import { capturesPath } from '../support/capture-requests.ts';
import { range } from '../support/consecutive.ts';
import { hubFaults } from '../support/hub-faults.ts';
import { waitForHubs } from '../support/hub-pods.ts';
import { downloaded, heldStream } from '../support/hub-streams.ts';
import { test as hubTest } from '../support/hub-test.ts';
import { goInformer, listedCaptures, textOfCaptures } from '../support/informed-captures.ts';
import { largeDatagrams, largeRecording } from '../support/large-recording.ts';
import { numbersInCapture } from '../support/numbers-in-capture.ts';
import { idle } from '../support/pod-manifests.ts';
import { printFigures } from '../support/print-figures.ts';
import { waitForTaps } from '../support/tap-processes.ts';

const rounds = 20;

const test = hubTest.extend('large', { scope: 'file' }, async ({ cluster }) => await largeRecording(cluster));

test.for(hubFaults.map((fault) => [fault.what, fault] as const))(
  `when %s in the middle of a download and a live capture, ${rounds} times, both are cut, and start over`,
  async ([, fault], { cluster, large, requests }) => {
    const { namespace } = cluster;
    const download = { namespace, name: 'large', subresource: 'log' } as const;
    const cutMs: number[] = [];
    const completeAgainMs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await waitForHubs(2);
      const held = await heldStream(requests, download);
      using answer = held.answer;
      const tapped = await requests.frames(`${capturesPath(namespace)}/large/attach`);
      using _tap = tapped;
      await waitForTaps(1);
      const end = await fault.strike({ cluster, hub: held.hub, node: large.node });
      const since = performance.now();
      // Never an end that is none.
      expect(await held.rest()).toBe('cut');
      cutMs.push(Math.round(performance.now() - since));
      expect(answer.status).toBe(200);
      tapped.body.destroy();
      await waitForTaps(0, { deadlineMs: 30_000 });
      await end();
      // A download starts over: every byte is right, or it says so.
      const complete = await until(() => downloaded(requests, `${capturesPath(namespace)}/large/log`), {
        what: 'a complete download',
        deadlineMs: 60_000,
        everyMs: 200,
      });
      expect(await numbersInCapture(complete)).toEqual(range(0, largeDatagrams));
      completeAgainMs.push(Math.round(performance.now() - since));
    }
    printFigures(fault.what, { cutMs, completeAgainMs });
    // Not the 165 s of kube-apiserver's keepalive.
    expect(Math.max(...cutMs)).toBeLessThan(60_000);
  },
);

test.for(hubFaults.map((fault) => [fault.what, fault] as const))(
  `when %s ${rounds} times, a watch knows in the end what there is`,
  async ([, fault], { cluster }) => {
    await waitForHubs(2);
    await using informer = await goInformer(cluster.namespace);
    for (let round = 0; round < rounds; round += 1) {
      const [hub] = await waitForHubs(2);
      if (!hub) throw new Error('no hub');
      const name = `watched-${hubFaults.indexOf(fault)}-${round}`;
      const pod = await cluster.start(idle({ name, node: 'node1', annotation: '1' }));
      await cluster.event(pod.uid, 'CaptureStarted');
      const end = await fault.strike({ cluster, hub, node: 'node1' });
      // While nobody can tell.
      await cluster.annotate(name, null);
      if (fault.isLasting) {
        const isUnknown = async () => (await informer.known())?.[name]?.[0]?.endsWith(' Unknown') === true;
        await until(isUnknown, {
          what: 'the watch to say that nobody knows',
          deadlineMs: 60_000,
          everyMs: 500,
        });
      }
      await end();
      await until(
        async () => {
          const truth = await listedCaptures(cluster.namespace).catch(() => undefined);
          const isGone = truth !== undefined && !(name in truth);
          return isGone && textOfCaptures(await informer.known()) === textOfCaptures(truth);
        },
        { what: 'the watch to know that the capture is gone', deadlineMs: 90_000, everyMs: 500 },
      );
    }
  },
);
