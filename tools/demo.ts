import { setTimeout as sleep } from 'node:timers/promises';
import { deploy, testPod } from './deploy.ts';
import { Failed, must, output, show } from './shell.ts';
import { checkout, ours, ourTarget, withTarget } from './target.ts';

const target = ourTarget();
const pod = 'traffic-generator';

/** Shows Podcap from nothing to a Pod's packets and back, with the commands that a person would type. */
export async function demo(): Promise<number> {
  chapter(1, 'A real Kubernetes with two Nodes on this machine');
  await must(process.execPath, [`${checkout}/cluster/main.ts`, 'up']);
  shown('export', `KUBECONFIG=${ours.kubeconfig} PATH=${ours.bin}:$PATH`);
  await kubectl('get', 'nodes');

  chapter(2, 'Podcap: one agent on every Node');
  await deploy(target);
  await kubectl('-n', 'kube-system', 'get', 'pods', '-l', 'app=packet-capture', '-o', 'wide');

  chapter(3, 'A Pod that asks a server ten times a second');
  await testPod(target);
  // A demo that was interrupted may have left it annotated.
  await output(target.kubectl, withTarget(target, 'annotate', 'pod', pod, 'tcpdump.antrea.io-'));
  await kubectl('get', 'pods', '-o', 'wide');
  const agent = await agentOf(pod);
  say(`\n${pod} runs on the Node of agent ${agent}. Nothing of it is captured there yet:`);
  await until('no captures of it', async () => !(await isCaptured(agent)));
  await kubectl(...inKubeSystem(agent, 'ls', '/captures'));

  chapter(4, 'Annotate it: keep the last 3 files of 1 MB');
  await kubectl('annotate', 'pod', pod, 'tcpdump.antrea.io=3');
  await until('the Event CaptureStarted', async () => (await events()).includes('CaptureStarted'));
  await kubectl('get', 'events', '--field-selector', `involvedObject.name=${pod},reason=CaptureStarted`);

  chapter(5, 'Its files appear and rotate: the oldest goes when a new one begins');
  for (let look = 1; look <= 4; look += 1) {
    await kubectl(...inKubeSystem(agent, 'sh', '-c', `ls -l /captures/default_${pod}_*`));
    await sleep(1_500);
  }

  chapter(6, 'Read the packets back');
  const newest = (
    await inAgent(agent, 'sh', '-c', `ls -t /captures/default_${pod}_*/*.pcap* | sed -n 2p`)
  ).trim();
  await kubectl(
    ...inKubeSystem(agent, 'tcpdump', '-n', '-c', '8', '-r', newest, 'tcp port 8080 or tcp port 80'),
  );

  chapter(7, 'Remove the annotation: the files are gone');
  await kubectl('annotate', 'pod', pod, 'tcpdump.antrea.io-');
  await until('the folder to be gone', async () => !(await isCaptured(agent)));
  await kubectl(...inKubeSystem(agent, 'ls', '/captures'));
  await kubectl('get', 'events', '--field-selector', `involvedObject.name=${pod},reason=CaptureStopped`);

  say(nextSteps(agent));
  return 0;
}

function nextSteps(agent: string): string {
  return `
That was all of it. The cluster runs on; go on by hand:

  export KUBECONFIG=${ours.kubeconfig} PATH=${ours.bin}:$PATH
  kubectl annotate pod ${pod} tcpdump.antrea.io=5        # capture: keep 5 files
  kubectl describe pod ${pod}                            # what Podcap says of it
  kubectl exec -n kube-system ${agent} -- ls /captures
  kubectl annotate pod ${pod} tcpdump.antrea.io-         # stop, delete the files
  kubectl logs -n kube-system -l app=packet-capture

  make undeploy       # remove Podcap
  make cluster-down   # remove the cluster`;
}

/** Shows a command as a person would type it, runs it, and shows what it prints. */
async function kubectl(...args: readonly string[]): Promise<void> {
  shown('kubectl', ...args);
  const code = await show(target.kubectl, withTarget(target, ...args));
  if (code !== 0) throw new Failed(`kubectl ended with ${code}`);
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

async function events(): Promise<string> {
  const selection = ['--field-selector', `involvedObject.name=${pod}`, '-o', 'jsonpath={.items[*].reason}'];
  return await output(target.kubectl, withTarget(target, 'get', 'events', ...selection));
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Failed(`waited a minute in vain for ${what}`);
    await sleep(200);
  }
}

function chapter(number: number, title: string): void {
  say(`\n\n== ${number}/7  ${title}\n`);
}

/** Quotes what a shell would take apart. */
function shown(...words: readonly string[]): void {
  const typed = words
    .map((word) => (/[\s*|;]/.test(word) && words[0] !== 'export' ? `'${word}'` : word))
    .join(' ');
  say(`$ ${typed}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
