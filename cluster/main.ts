import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildBinaries, moduleOf } from './binaries.ts';
import { status } from './cluster-status.ts';
import { type ClusterComponent, killComponent, startComponent, stopComponent } from './component-control.ts';
import { installDns } from './dns.ts';
import { down } from './down.ts';
import { hostState } from './host-state.ts';
import { cacheFolder, logFolder, type Machine, machines } from './layout.ts';
import { load } from './load-images.ts';
import { describeHolder, lock } from './lock.ts';
import { cutPower, enter, machineProcess } from './machine.ts';
import { up } from './up.ts';

const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = cacheFolder(process.env);
const lockName = 'podcap-cluster';
const say = (line: string) => void process.stderr.write(`${line}\n`);
const print = (line: string) => void process.stdout.write(`${line}\n`);

/** Each returns the exit code. */
const commands: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  up: () => exclusively('up', bringUp),
  down: () => exclusively('down', takeDown),
  status: showStatus,
  dns: installClusterDns,
  load: loadImages,
  build: buildBinary,
  enter: enterMachine,
  'node-stop': stopNode,
  'node-start': () => exclusively('node-start', bringUp),
  'component-kill': (args) => onComponent(args, killComponent),
  'component-stop': (args) => onComponent(args, stopComponent),
  'component-start': (args) => onComponent(args, startComponent),
  'host-state': printHostState,
};

const usage = `usage: node cluster/main.ts <command>

  up                          start the cluster, or the parts of it that are not running; prints its kubeconfig
  down                        stop the cluster and remove everything that it created
  status                      print what is running; exits with 0 if the cluster of this checkout is up
  dns                         install CoreDNS, which a new cluster does not have
  load <docker-archive>...    load images into every Node
  build <program>             print the path of a program (kubectl, helm, ...), building it first if needed
  enter <machine> [command]   run a command, or a shell, on control, node1 or node2

To test what fails in production:

  node-stop <node>                   cut the power of a Node
  node-start <node>                  start it again
  component-kill <machine> <name>    kill kube-apiserver, kubelet, containerd ...; it is restarted after a second
  component-stop <machine> <name>    kill it and keep it stopped
  component-start <machine> <name>   start it again
  host-state                         list what this machine has; compare two lists to find what was left behind`;

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  const command = commands[name];
  if (command === undefined) {
    say(usage);
    return 2;
  }
  if (process.getuid?.() !== 0) {
    say('the cluster needs root: run this as root or with sudo');
    return 1;
  }
  return await command(args);
}

/** Only one command at a time may change the cluster. */
async function exclusively(name: string, command: () => Promise<number>): Promise<number> {
  await using acquired = await lock(lockName, `'${name}' of ${checkout} (pid ${process.pid})`);
  if (acquired === undefined) {
    const holder = await describeHolder(lockName);
    say(`another command is changing the cluster of this machine: ${holder}; try again when it has ended`);
    return 1;
  }
  return await command();
}

async function bringUp(): Promise<number> {
  const started = performance.now();
  const result = await up({ checkout, cache, say });
  if (result.kind === 'refused') {
    say(result.message);
    return 1;
  }
  say(`two Nodes are Ready after ${((performance.now() - started) / 1000).toFixed(1)} s; the kubeconfig is:`);
  print(result.folders.kubeconfig);
  return 0;
}

async function takeDown(): Promise<number> {
  const result = await down(checkout);
  if (result.kind === 'refused') {
    say(result.message);
    return 1;
  }
  say(result.kind === 'down' ? 'the cluster is removed' : 'this machine has no cluster');
  return 0;
}

async function showStatus(): Promise<number> {
  const { up: isUp, lines } = await status(checkout);
  for (const line of lines) print(line);
  return isUp ? 0 : 1;
}

async function loadImages(archives: readonly string[]): Promise<number> {
  await load(archives, { say });
  return 0;
}

async function installClusterDns(): Promise<number> {
  await installDns({ checkout, cache, say });
  say('CoreDNS is ready: Pods can resolve the names of Services');
  return 0;
}

async function buildBinary([binary = '']: readonly string[]): Promise<number> {
  const module = moduleOf(binary);
  if (module === undefined) {
    say(`no module of cluster/modules builds '${binary}'`);
    return 2;
  }
  const binaries = await buildBinaries([module], { checkout, cache, say });
  print(binaries.get(binary) ?? '');
  return 0;
}

async function enterMachine([name = '', ...command]: readonly string[]): Promise<number> {
  const machine = machineNamed(name);
  const id = machine && machineProcess(machine);
  if (id === undefined) return unknownMachine(name);
  const { program, args } = enter(id, command.length > 0 ? command : ['bash']);
  const [code] = await once(spawn(program, args, { stdio: 'inherit' }), 'exit');
  return typeof code === 'number' ? code : 1;
}

async function stopNode([name = '']: readonly string[]): Promise<number> {
  const machine = machineNamed(name);
  return machine && cutPower(machine) ? 0 : unknownMachine(name);
}

async function onComponent(
  [machineName = '', name = '']: readonly string[],
  act: (component: ClusterComponent) => Promise<void>,
): Promise<number> {
  const machine = machineNamed(machineName);
  if (machine === undefined || machineProcess(machine) === undefined) return unknownMachine(machineName);
  await act({ machine, name });
  return 0;
}

async function printHostState(): Promise<number> {
  for (const line of await hostState()) print(line);
  return 0;
}

function machineNamed(name: string): Machine | undefined {
  return machines.find((machine) => machine.name === name);
}

function unknownMachine(name: string): number {
  say(
    `no machine ${name} is running; the machines are ${machines.map((machine) => machine.name).join(', ')}`,
  );
  return 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  say(`the logs of the cluster are in ${machines.map(logFolder).join(', ')}`);
  process.exitCode = 1;
}
