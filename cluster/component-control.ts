import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../src/base/until.ts';
import { logFolder, type Machine } from './layout.ts';
import { enter, machineProcess } from './machine.ts';
import { runCommand } from './run-command.ts';

/** A program that a machine starts, and restarts when it ends (inside/supervise.sh): kube-apiserver, kubelet ... */
export type ClusterComponent = { readonly machine: Machine; readonly name: string };

/**
 * Kills a component, like a crash; its machine restarts it a second later. Returns when the process has ended.
 *
 * @throws Error if the component is not running, or does not end within 30 s.
 */
export async function killComponent(component: ClusterComponent): Promise<void> {
  const pid = componentPid(component);
  const id = machineProcess(component.machine);
  if (pid === undefined || id === undefined) throw new Error(`${describe(component)} is not running`);
  const { program, args } = enter(id, ['kill', '-KILL', pid]);
  await runCommand(program, args);
  await until(() => componentPid(component) !== pid, {
    what: `${describe(component)} to end`,
    deadlineMs: 30_000,
    everyMs: 50,
  });
}

/** Kills a component and keeps it stopped until `startComponent`. */
export async function stopComponent(component: ClusterComponent): Promise<void> {
  writeFileSync(heldFile(component), '');
  if (componentPid(component) !== undefined) await killComponent(component);
}

/** Starts a component that was stopped. Returns when its process is running, which may not be ready yet. */
export async function startComponent(component: ClusterComponent): Promise<void> {
  rmSync(heldFile(component), { force: true });
  await until(() => componentPid(component), {
    what: `${describe(component)} to run`,
    deadlineMs: 30_000,
    everyMs: 50,
  });
}

/** Its pid in the machine's pid namespace; undefined while it is not running. */
function componentPid({ machine, name }: ClusterComponent): string | undefined {
  try {
    return readFileSync(join(logFolder(machine), `${name}.pid`), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

/** While this file exists, the machine does not start the component. */
function heldFile({ machine, name }: ClusterComponent): string {
  return join(logFolder(machine), `${name}.held`);
}

function describe({ machine, name }: ClusterComponent): string {
  return `${name} of ${machine.name}`;
}
