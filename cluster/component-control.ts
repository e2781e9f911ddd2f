import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { logFolder, type Machine } from './layout.ts';
import { enter, machineProcess } from './machine.ts';
import { run } from './run-command.ts';
import { until } from './until.ts';

/** A program that a machine keeps running (inside/supervise.sh): kube-apiserver, kubelet, containerd ... */
export type ControlPlaneComponent = { readonly machine: Machine; readonly name: string };

/** Kills it, as a crash would; a second later it is started again. Ends when it has ended. */
export async function killComponent(component: ControlPlaneComponent): Promise<void> {
  const pid = componentPid(component);
  const id = machineProcess(component.machine);
  if (pid === undefined || id === undefined) throw new Error(`${describe(component)} does not run`);
  const { program, args } = enter(id, ['kill', '-KILL', pid]);
  await run(program, args);
  await until(() => (componentPid(component) === pid ? undefined : true), {
    what: `${describe(component)} to end`,
    deadlineMs: 30_000,
  });
}

/** Kills it and keeps it down until `startComponent`. */
export async function stopComponent(component: ControlPlaneComponent): Promise<void> {
  writeFileSync(heldFile(component), '');
  if (componentPid(component) !== undefined) await killComponent(component);
}

/** Ends when it runs; it may not be ready yet. */
export async function startComponent(component: ControlPlaneComponent): Promise<void> {
  rmSync(heldFile(component), { force: true });
  await until(() => componentPid(component), { what: `${describe(component)} to run`, deadlineMs: 30_000 });
}

/** Its pid as its machine numbers it; undefined while it does not run. */
function componentPid({ machine, name }: ControlPlaneComponent): string | undefined {
  try {
    return readFileSync(join(logFolder(machine), `${name}.pid`), 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}

function heldFile({ machine, name }: ControlPlaneComponent): string {
  return join(logFolder(machine), `${name}.held`);
}

function describe({ machine, name }: ControlPlaneComponent): string {
  return `${name} of ${machine.name}`;
}
