import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../src/base/until.ts';
import { deploy, testPod } from './deploy.ts';
import { Failed, must, output, show } from './shell.ts';
import { checkout, ours, ourTarget, withTarget } from './target.ts';

const target = ourTarget();
const pod = 'traffic-generator';
const server = 'traffic-server';
/** With the plugin that `make cli` has built. */
const programs = `${ours.bin}:${checkout}/build`;
/** What the commands that are shown find in the environment. */
const environment = {
  KUBECONFIG: ours.kubeconfig,
  PATH: `${programs}:${process.env['PATH'] ?? ''}`,
};

type DemoStep = readonly [title: string, demonstrate: () => Promise<void>];

const steps: readonly DemoStep[] = [
  ['Start a Kubernetes cluster with two Nodes on this machine', startCluster],
  ['Install Podcap: an agent on every Node, and the hub for the Kubernetes API', installPodcap],
  ['Start a Pod that sends a request to a server ten times a second', startPods],
  ['Annotate the Pod: capture it, and keep the last 3 files of 1 MB', annotatePod],
  ["The files, on the Pod's Node, are a ring: a new one replaces the oldest", showRing],
  ['Watch the packets of its server live: it is not captured, and no file is left', watchLive],
  ['kubectl podcap captures the server too, and saves both Pods in one file', savePackets],
  ['RBAC decides: jane may view the namespace, and so its captures, but no packet', showRoles],
  ['Remove the annotation: capturing stops, and the files are deleted', removeAnnotation],
  ['A policy captures every Pod of a Deployment, without changing it', createPolicy],
  ['Its container ends: the packets around that moment are set aside', freezeRing],
];

/** `make demo`: shows Podcap from start to end, with the commands that a user would type. Returns the exit code. */
export async function demo(): Promise<number> {
  for (const [index, [title, demonstrate]] of steps.entries()) {
    say(`\n\n== ${index + 1}/${steps.length}  ${title}\n`);
    await demonstrate();
  }
  say(nextSteps);
  return 0;
}

async function startCluster(): Promise<void> {
  await must(process.execPath, [`${checkout}/cluster/main.ts`, 'up']);
  say(`$ export KUBECONFIG=${ours.kubeconfig} PATH=${programs}:$PATH`);
  await run('kubectl get nodes');
}

async function installPodcap(): Promise<void> {
  await deploy(target);
  await run("kubectl get pods -n kube-system -l 'app in (packet-capture, packet-capture-hub)' -o wide");
  await run('kubectl podcap check');
}

async function startPods(): Promise<void> {
  await testPod(target);
  await removeEarlier();
  await run('kubectl get pods -o wide');
}

/** An interrupted demo may have left them. */
async function removeEarlier(): Promise<void> {
  await ask('annotate', 'pod', pod, server, 'tcpdump.antrea.io-');
  await ask('delete', 'rolebinding', 'jane-sees', 'jane-downloads', '--ignore-not-found');
  await waitFor('earlier captures to be deleted', async () => !(await isCaptured(pod, server)));
}

async function annotatePod(): Promise<void> {
  using watch = running('kubectl podcap list --watch');
  await run(`kubectl annotate pod ${pod} tcpdump.antrea.io=3`);
  await waitFor('the capture', () => Promise.resolve(/^traffic-generator .*Capturing/m.test(watch.text())));
  await showEvent(pod, 'CaptureStarted');
}

async function showRing(): Promise<void> {
  const agent = await agentOf(pod);
  const list = `kubectl exec -n kube-system ${agent} -- sh -c 'ls -l /captures/default_${pod}_*'`;
  await waitFor('three capture files', async () => Number(await recorded('files')) >= 3);
  await run(list);
  await sleep(2_500);
  await run(list);
  await run('kubectl podcap list');
}

async function watchLive(): Promise<void> {
  await run(`kubectl podcap live ${server} --filter 'tcp port 8080' --count 6`);
}

const saved = 'build/traffic.pcapng';

async function savePackets(): Promise<void> {
  await run(`kubectl podcap start ${server} --files 3`);
  // Some requests, at both ends.
  await sleep(1_000);
  await run(`kubectl podcap save ${pod} ${server} --to ${saved} --overwrite`);
  await run(`kubectl podcap show ${saved} --count 6 --filter 'http and pod ${server}'`);
}

async function showRoles(): Promise<void> {
  await run('kubectl create rolebinding jane-sees --clusterrole=view --user=jane');
  await waitFor('the role', () => mayJane('get'));
  await run('kubectl podcap list --as jane');
  const save = `kubectl podcap save ${pod} --to ${saved} --overwrite --as jane`;
  await refused(save);
  await run('kubectl create rolebinding jane-downloads --clusterrole=podcap-download --user=jane');
  await waitFor('the role', () => mayJane('download'));
  await run(save);
  await run('kubectl delete rolebinding jane-sees jane-downloads');
}

async function removeAnnotation(): Promise<void> {
  const agent = await agentOf(pod);
  await run(`kubectl annotate pod ${pod} tcpdump.antrea.io-`);
  await waitFor('its capture to be deleted', async () => !(await isCaptured(pod)));
  await run(`kubectl exec -n kube-system ${agent} -- ls /captures`);
  await showEvent(pod, 'CaptureStopped');
  await run(`kubectl podcap discard ${server} --yes`);
}

const policyManifests = '-f deploy/examples/web.yaml -f deploy/examples/crash-policy.yaml';

async function createPolicy(): Promise<void> {
  await run(`kubectl apply ${policyManifests}`);
  await run('kubectl rollout status deployment/web --timeout=60s');
  await showEvent(await webPod(), 'CaptureStarted');
  await run('kubectl get capturepolicies');
}

async function freezeRing(): Promise<void> {
  const web = await webPod();
  // A ring reaches back no further than the Pod.
  await sleep(2_000);
  await run(`kubectl exec ${web} -- sh -c 'kill 1'`);
  await showEvent(web, 'CaptureFrozen');
  const lines = "kubectl podcap show - --count 4 --filter 'tcp port 80 and (fin or rst)'";
  await run(`kubectl podcap save ${web} --frozen 1 --to - | ${lines}`);
  await run(`kubectl delete ${policyManifests} --wait=false`);
}

const nextSteps = `
This is the end of the demo. The cluster keeps running, so you can try it yourself:

  export KUBECONFIG=${ours.kubeconfig} PATH=${programs}:$PATH
  kubectl podcap                                        # what it can do
  kubectl podcap start ${pod}              # capture, keep the last 5 files
  kubectl podcap list --watch
  kubectl podcap save ${pod} --to traffic.pcapng
  kubectl podcap live ${pod} ${server} --wireshark
  kubectl podcap discard ${pod}            # stop, delete the files

  make undeploy       # remove Podcap from the cluster
  make cluster-down   # remove the cluster`;

/** Prints a command as a user would type it, and runs it in a shell with its output on this terminal. */
async function run(command: string): Promise<void> {
  const code = await typed(command);
  if (code !== 0) throw new Failed(`${command} exited with ${code}`);
}

/** Like run(), for a command that has to fail. */
async function refused(command: string): Promise<void> {
  if ((await typed(command)) === 0) throw new Failed(`${command} was not refused`);
}

async function typed(command: string): Promise<number> {
  say(`$ ${command}`);
  return await show('bash', ['-c', command], environment);
}

/** Like run(), for a command that goes on until it is disposed of; returns what it has printed so far. */
function running(command: string): Disposable & { readonly text: () => string } {
  say(`$ ${command} &`);
  const child = spawn('bash', ['-c', `exec ${command}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    process.stdout.write(part);
  });
  return { text: () => text, [Symbol.dispose]: () => void child.kill() };
}

async function showEvent(name: string, reason: string): Promise<void> {
  const selection = ['--field-selector', `involvedObject.name=${name},reason=${reason}`];
  const isThere = async () => (await ask('get', 'events', ...selection, '-o', 'name')) !== '';
  await waitFor(`the Event ${reason}`, isThere);
  await run(`kubectl get events ${selection.join(' ')}`);
}

/** Whether one of these Pods is. */
async function isCaptured(...names: readonly string[]): Promise<boolean> {
  const captures = (await ask('get', 'captures', '-o', 'name')).split('\n');
  return names.some((name) => captures.some((capture) => capture.endsWith(`/${name}`)));
}

/** A field of what is recorded of the Pod. */
async function recorded(field: string): Promise<string> {
  return await ask('get', 'capture', pod, '-o', `jsonpath={.status.recordings[0].${field}}`);
}

async function mayJane(verb: string): Promise<boolean> {
  const question = ['auth', 'can-i', verb, 'captures.podcap.dev', '--as=jane'];
  return (await ask(...question).catch(() => 'no')).includes('yes');
}

async function webPod(): Promise<string> {
  return await ask('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[0].metadata.name}');
}

async function agentOf(name: string): Promise<string> {
  const node = await ask('get', 'pod', name, '-o', 'jsonpath={.spec.nodeName}');
  const selection = [
    '-l',
    'app=packet-capture',
    `--field-selector=spec.nodeName=${node},status.phase=Running`,
  ];
  return await ask(
    'get',
    'pods',
    '-n',
    'kube-system',
    ...selection,
    '-o',
    'jsonpath={.items[0].metadata.name}',
  );
}

async function ask(...args: readonly string[]): Promise<string> {
  return await output(target.kubectl, withTarget(target, ...args));
}

/** Throws Failed at the deadline: a user of the demo needs no stack trace. */
async function waitFor(what: string, isDone: () => Promise<boolean>): Promise<void> {
  try {
    await until(isDone, { what, deadlineMs: 60_000, everyMs: 200 });
  } catch (cause) {
    throw new Failed(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
