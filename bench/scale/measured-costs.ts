import { cpuMs } from '../contenders/process-usage.ts';
import type { MeasureOptions, Row } from '../figure.ts';
import { rowOf } from '../support/row.ts';
import type { Fleet } from './fleet.ts';
import type { Watchers } from './watchers.ts';

export type ScaleSetup = MeasureOptions & {
  readonly fleet: Fleet;
  readonly watchers: Watchers;
  /** The PID of the API server. */
  readonly apiServer: number;
};

/** What one piece of work took: the API server's CPU time, bytes received by the watches, and its duration. */
export type Cost = { readonly cpuMs: number; readonly bytes: number; readonly ms: number };

export type Work = {
  /** Printed as progress. */
  readonly name: string;
  readonly run: () => Promise<void>;
  /** Runs after each measurement, and is not measured. */
  readonly afterwards?: () => Promise<void>;
};

/** Does that work as often as there are runs, and measures each. */
export async function repeat(
  { watchers, apiServer, runs, report }: ScaleSetup,
  { name, run, afterwards }: Work,
): Promise<Cost[]> {
  const costs: Cost[] = [];
  while (costs.length < runs) {
    const cpuBefore = await cpuMs([apiServer]);
    const bytesBefore = await watchers.receivedBytes();
    const startMs = performance.now();
    await run();
    costs.push({
      ms: performance.now() - startMs,
      bytes: (await watchers.receivedBytes()) - bytesBefore,
      cpuMs: (await cpuMs([apiServer])) - cpuBefore,
    });
    await afterwards?.();
  }
  report(name);
  return costs;
}

export function row(parameter: string, values: readonly number[]): Row {
  return rowOf('podcap', parameter, values);
}

export function scaled(costs: readonly Cost[], what: keyof Cost, factor = 1): number[] {
  return costs.map((cost) => cost[what] * factor);
}
