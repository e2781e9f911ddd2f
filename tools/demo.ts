import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../src/base/until.ts';
import { deploy, testPod } from './deploy.ts';
import { Failed, must, output, show } from './shell.ts';
import { checkout, ours, ourTarget, withTarget } from './target.ts';

const target = ourTarget();
const pod = 'traffic-generator';

/** `make demo`: shows Podcap from start to end, with the commands that a user would type. Returns the exit code. */
export async function demo(): Promise<number> {
  step(1, 'Start a Kubernetes cluster with two Nodes on this machine');
  await must(process.execPath, [`${checkout}/cluster/main.ts`, 'up']);
  printCommand('export', `KUBECONFIG=${ours.kubeconfig} PATH=${ours.bin}:$PATH`);
  await kubectl('get', 'nodes');

  step(2, 'Install Podcap: one agent on every Node');
  await deploy(target);
  await kubectl('-n', 'kube-system', 'get', 'pods', '-l', 'app=packet-capture', '-o', 'wide');

  step(3, 'Start a Pod that sends a request to a server ten times a second');
  await testPod(target);
  // An interrupted demo may have left it annotated.
  await output(target.kubectl, withTarget(target, 'annotate', 'pod', pod, 'tcpdump.antrea.io-'));
  await kubectl('get', 'pods', '-o', 'wide');
  const agent = await agentOf(pod);
  say(`\nThe agent on the Node of ${pod} is ${agent}. It does not capture the Pod yet:`);
  await waitFor('its earlier captures to be deleted', async () => !(await isCaptured(agent)));
  await kubectl(...inKubeSystem(agent, 'ls', '/captures'));

  step(4, 'Annotate the Pod: capture it and keep the last 3 files of 1 MB');
  await kubectl('annotate', 'pod', pod, 'tcpdump.antrea.io=3');
  await waitFor('the Event CaptureStarted', async () => (await events()).includes('CaptureStarted'));
  await kubectl('get', 'events', '--field-selector', `involvedObject.name=${pod},reason=CaptureStarted`);

  step(5, 'The capture files appear and rotate: when a new one starts, the oldest is deleted');
  for (let round = 1; round <= 3; round += 1) {
    await kubectl(...inKubeSystem(agent, 'sh', '-c', `ls -l /captures/default_${pod}_*`));
    await sleep(1_500);
  }

  step(6, 'Read the packets');
  // The newest file is still being written, so this reads the one before.
  const listing = await inAgent(agent, 'sh', '-c', `ls -t /captures/default_${pod}_*/*.pcap* | sed -n 2p`);
  const read = ['tcpdump', '-n', '-c', '8', '-r', listing.trim(), 'tcp port 8080 or tcp port 80'];
  await kubectl(...inKubeSystem(agent, ...read));

  step(7, 'Remove the annotation: capturing stops and the files are deleted');
  await kubectl('annotate', 'pod', pod, 'tcpdump.antrea.io-');
  await waitFor('its captures to be deleted', async () => !(await isCaptured(agent)));
  await kubectl(...inKubeSystem(agent, 'ls', '/captures'));
  await kubectl('get', 'events', '--field-selector', `involvedObject.name=${pod},reason=CaptureStopped`);

  await showFreezing();
  say(nextSteps(agent));
  return 0;
}

/** A policy captures the Pod of a Deployment, and its ring is frozen when its container ends. */
async function showFreezing(): Promise<void> {
  const manifests = ['web', 'crash-policy'].flatMap((name) => ['-f', `deploy/examples/${name}.yaml`]);
  step(8, 'A policy captures every Pod of a Deployment, without a change of the Deployment');
  await kubectl('apply', ...manifests);
  await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  const web = await output(
    target.kubectl,
    withTarget(target, 'get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[0].metadata.name}'),
  );
  await waitFor('the Event CaptureStarted', async () => (await events(web)).includes('CaptureStarted'));
  await kubectl('get', 'capturepolicies');
  await kubectl('get', 'events', '--field-selector', `involvedObject.name=${web},reason=CaptureStarted`);

  // A ring reaches back no further than the Pod.
  await sleep(2_000);
  step(9, 'Its container ends: what it sent and received around that moment is set aside');
  await kubectl('exec', web, '--', 'sh', '-c', 'kill 1');
  await waitFor('the Event CaptureFrozen', async () => (await events(web)).includes('CaptureFrozen'));
  await kubectl('get', 'events', '--field-selector', `involvedObject.name=${web},reason=CaptureFrozen`);
  const frozen = `podcap read default/${web} --frozen 1 | podcap show - --filter "tcp port 80 and (fin or rst)" | head -4`;
  await kubectl(...inKubeSystem(await agentOf(web), 'sh', '-c', frozen));
  await kubectl('delete', ...manifests, '--wait=false');
}

function nextSteps(agent: string): string {
  return `
This is the end of the demo. The cluster keeps running, so you can try it yourself:

  export KUBECONFIG=${ours.kubeconfig} PATH=${ours.bin}:$PATH
  kubectl annotate pod ${pod} tcpdump.antrea.io=5        # capture, keep the last 5 files
  kubectl describe pod ${pod}                            # its Events: what Podcap does with it
  kubectl exec -n kube-system ${agent} -- podcap list
  kubectl annotate pod ${pod} tcpdump.antrea.io-         # stop, delete the files
  kubectl logs -n kube-system -l app=packet-capture

  make undeploy       # remove Podcap from the cluster
  make cluster-down   # remove the cluster`;
}

/** Prints a command as a user would type it, and runs it with its output on this terminal. */
async function kubectl(...args: readonly string[]): Promise<void> {
  printCommand('kubectl', ...args);
  const code = await show(target.kubectl, withTarget(target, ...args));
  if (code !== 0) throw new Failed(`kubectl exited with ${code}`);
}

function inKubeSystem(agent: string, ...command: readonly string[]): string[] {
  return ['exec', '-n', 'kube-system', agent, '--', ...command];
}

async function inAgent(agent: string, ...command: readonly string[]): Promise<string> {
  return await output(target.kubectl, withTarget(target, ...inKubeSystem(agent, ...command)));
}

async function isCaptured(agent: string): Promise<boolean> {
  return (await inAgent(agent, 'ls', '/captures')).includes(`default_${pod}_`);
}

async function agentOf(name: string): Promise<string> {
  const node = await output(
    target.kubectl,
    withTarget(target, 'get', 'pod', name, '-o', 'jsonpath={.spec.nodeName}'),
  );
  const selection = [
    '-l',
    'app=packet-capture',
    '--field-selector',
    `spec.nodeName=${node},status.phase=Running`,
  ];
  const path = ['-o', 'jsonpath={.items[0].metadata.name}'];
  return await output(
    target.kubectl,
    withTarget(target, '-n', 'kube-system', 'get', 'pods', ...selection, ...path),
  );
}

async function events(name = pod): Promise<string> {
  const selection = ['--field-selector', `involvedObject.name=${name}`, '-o', 'jsonpath={.items[*].reason}'];
  return await output(target.kubectl, withTarget(target, 'get', 'events', ...selection));
}

/** Throws Failed at the deadline: a user of the demo needs no stack trace. */
async function waitFor(what: string, isDone: () => Promise<boolean>): Promise<void> {
  try {
    await until(isDone, { what, deadlineMs: 60_000, everyMs: 200 });
  } catch (cause) {
    throw new Failed(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function step(number: number, title: string): void {
  say(`\n\n== ${number}/9  ${title}\n`);
}

/** Prints a command, and quotes the words that a shell would split or expand. */
function printCommand(...words: readonly string[]): void {
  const line = words
    .map((word) => (/[\s*|;]/.test(word) && words[0] !== 'export' ? `'${word}'` : word))
    .join(' ');
  say(`$ ${line}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
