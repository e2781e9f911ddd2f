import { pino } from 'pino';
import * as v from 'valibot';
import { runAgent } from '../../src/agent/agent.ts';
import { readSettings } from '../../src/agent/settings.ts';
import { bootClock } from '../../src/base/clock.ts';
import { kubernetesClient } from '../../src/kubernetes/client.ts';

/** The agent as src/agent/agent-command.ts runs it, except that its parent names the API server. */
async function main(): Promise<void> {
  process.umask(0o027);
  const { server, ca } = v.parse(startSchema, JSON.parse(process.env['PODCAP_BENCH_SERVER'] ?? ''));
  const result = readSettings(process.argv.slice(2), {});
  if (result.kind !== 'settings') throw new Error(result.kind === 'invalid' ? result.message : result.text);
  const credentials = { kind: 'token', token: 'any' } as const;
  await using client = kubernetesClient({ server: new URL(server), ca, credentials });
  const stopping = new AbortController();
  process.once('SIGTERM', () => stopping.abort());
  await runAgent({
    settings: result.settings,
    version: 'bench',
    client,
    clock: await bootClock(),
    log: pino({ level: result.settings.logLevel }),
    signal: stopping.signal,
    die(why) {
      throw new Error(why);
    },
  });
}

const startSchema = v.object({ server: v.string(), ca: v.string() });

void main();
