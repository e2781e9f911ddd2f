import { pino } from 'pino';
import * as v from 'valibot';
import { runHub } from '../../src/hub/hub.ts';
import { readHubSettings } from '../../src/hub/hub-settings.ts';
import { kubernetesClient } from '../../src/kubernetes/client.ts';

/** The hub as src/hub/hub-command.ts runs it, except that its parent names the API server. */
async function main(): Promise<void> {
  const { server, ca } = v.parse(startSchema, JSON.parse(process.env['PODCAP_BENCH_SERVER'] ?? ''));
  const result = readHubSettings(process.argv.slice(2), {});
  if (result.kind !== 'settings') throw new Error(result.kind === 'invalid' ? result.message : result.text);
  const credentials = { kind: 'token', token: 'any' } as const;
  await using client = kubernetesClient({ server: new URL(server), ca, credentials });
  const stopping = new AbortController();
  process.once('SIGTERM', () => stopping.abort());
  await runHub({
    settings: result.settings,
    version: 'bench',
    client,
    log: pino({ level: result.settings.logLevel }),
    signal: stopping.signal,
  });
}

const startSchema = v.object({ server: v.string(), ca: v.string() });

void main();
