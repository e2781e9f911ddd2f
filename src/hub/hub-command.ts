import packageJson from '../../package.json' with { type: 'json' };
import { kubernetesClient } from '../kubernetes/client.ts';
import { serviceAccountConfig } from '../kubernetes/client-config.ts';
import { openPlainLog } from '../observability/plain-log.ts';
import { runHub } from './hub.ts';
import { type HubSettings, readHubSettings } from './hub-settings.ts';

/** Runs the hub until SIGTERM or SIGINT, and returns the exit code: 2 for a setting that is not allowed. */
export async function hubCommand(): Promise<number> {
  // The first argument is the name of the command.
  const result = readHubSettings(process.argv.slice(3), process.env);
  switch (result.kind) {
    case 'help':
      process.stdout.write(result.text);
      return 0;
    case 'invalid':
      process.stderr.write(`podcap hub: ${result.message}\nTry podcap hub --help.\n`);
      return 2;
    case 'settings':
      return await run(result.settings);
  }
}

async function run(settings: HubSettings): Promise<number> {
  const log = openPlainLog(settings.logLevel);
  try {
    await using client = kubernetesClient(await serviceAccountConfig());
    await runHub({
      settings,
      version: packageJson.version,
      client,
      log,
      signal: untilSignalled(),
    });
    log.info({}, 'hub stopped');
    return 0;
  } catch (error) {
    log.fatal({ err: error }, 'hub failed');
    return 1;
  }
}

function untilSignalled(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stopping.abort());
  return stopping.signal;
}
