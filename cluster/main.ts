import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildBinaries, moduleOf } from './binaries.ts';
import { status } from './cluster-status.ts';
import {
  type ControlPlaneComponent,
  killComponent,
  startComponent,
  stopComponent,
} from './component-control.ts';
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

/** Each gives the exit code. */
const commands: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  up: () => alone('up', bringUp),
  down: () => alone('down', takeDown),
  status: showStatus,
  dns: installClusterDns,
  load: loadImages,
  build: buildBinary,
  enter: enterMachine,
  'node-stop': stopNode,
  'node-start': () => alone('node-start', bringUp),
  'component-kill': (args) => onComponent(args, killComponent),
  'component-stop': (args) => onComponent(args, stopComponent),
  'component-start': (args) => onComponent(args, startComponent),
  'machine-state': printMachineState,
};

const usage = `usage: node cluster/main.ts <command>
  up                        bring the cluster up, or what is missing of it; prints the kubeconfig's path
  down                      end the cluster and remove all that it made
  status                    say what runs; exit code 0 if this checkout's cluster is up
  dns                       install CoreDNS into the cluster, which has none at first
  load <docker-archive...>  load images into every Node
  build <binary>            build a program if need be (kubectl, helm, ...) and print its path
  enter <machine> [command] run a command, or a shell, on node1, node2 or control
  node-stop <node>          cut a Node's power
  node-start <node>         bring it back
  component-kill <machine> <name>   kill kube-apiserver, kubelet, containerd ...; it is started again
  component-stop <machine> <name>   the same, and keep it down
  component-start <machine> <name>  start it again
  machine-state             list what this machine has; compare two lists to see what was left behind`;

async function main([name = '', ...args]: readonly string[]): Promise<number> {
  const command = commands[name];
  if (command === undefined) {
    say(usage);
    return 2;
  }
  if (process.getuid?.() !== 0) {
    say('the cluster needs root: run this as root, or with sudo');
    return 1;
  }
  return await command(args);
}

/** One command at a time may change the cluster. */
async function alone(name: string, command: () => Promise<number>): Promise<number> {
  await using held = await lock(lockName, `'${name}' of ${checkout} (pid ${process.pid})`);
  if (held === undefined) {
    say(
      `another command is changing this machine's cluster: ${await describeHolder(lockName)}; try again when it has ended`,
    );
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
  say(`two Nodes are Ready after ${((performance.now() - started) / 1000).toFixed(1)} s; the kubeconfig is`);
  print(result.folders.kubeconfig);
  return 0;
}

async function takeDown(): Promise<number> {
  const result = await down(checkout);
  if (result.kind === 'refused') {
    say(result.message);
    return 1;
  }
  say(result.kind === 'down' ? 'the cluster is gone' : 'there is no cluster on this machine');
  return 0;
}

async function showStatus(): Promise<number> {
  const found = await status(checkout);
  for (const line of found.lines) print(line);
  return found.up ? 0 : 1;
}

async function loadImages(archives: readonly string[]): Promise<number> {
  await load(archives, { say });
  return 0;
}

async function installClusterDns(): Promise<number> {
  await installDns({ checkout, cache, say });
  say('the cluster resolves its names');
  return 0;
}

async function buildBinary([binary = '']: readonly string[]): Promise<number> {
  const module = moduleOf(binary);
  if (module === undefined) {
    say(`there is no Go module here that builds ${binary}`);
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
  act: (component: ControlPlaneComponent) => Promise<void>,
): Promise<number> {
  const machine = machineNamed(machineName);
  if (machine === undefined || machineProcess(machine) === undefined) return unknownMachine(machineName);
  await act({ machine, name });
  return 0;
}

async function printMachineState(): Promise<number> {
  for (const line of await hostState()) print(line);
  return 0;
}

function machineNamed(name: string): Machine | undefined {
  return machines.find((machine) => machine.name === name);
}

function unknownMachine(name: string): number {
  say(`no machine ${name} is running; there are ${machines.map((machine) => machine.name).join(', ')}`);
  return 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  say(`the cluster's logs are in ${machines.map(logFolder).join(', ')}`);
  process.exitCode = 1;
}
