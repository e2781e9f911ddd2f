import packageJson from '../../package.json' with { type: 'json' };
import { bootClock } from '../base/clock.ts';
import { kubernetesClient } from '../kubernetes/client.ts';
import { serviceAccountConfig } from '../kubernetes/client-config.ts';
import { openPlainLog } from '../observability/plain-log.ts';
import { runAgent } from './agent.ts';
import { readSettings, type Settings } from './settings.ts';

/** Runs the agent until SIGTERM or SIGINT, and returns the exit code: 2 for a setting that is not allowed. */
export async function agentCommand(): Promise<number> {
  const result = readSettings(process.argv.slice(2), process.env);
  switch (result.kind) {
    case 'help':
      process.stdout.write(result.text);
      return 0;
    case 'invalid':
      process.stderr.write(`podcap: ${result.message}\nTry podcap --help.\n`);
      return 2;
    case 'settings':
      return run(result.settings);
  }
}

async function run(settings: Settings): Promise<number> {
  // Only root and the capturing group may read packets, whichever process creates the file.
  process.umask(0o027);
  const log = openPlainLog(settings.logLevel);
  try {
    await using client = kubernetesClient(await serviceAccountConfig());
    const { version } = packageJson;
    const die = (why: string) => {
      log.fatal({ why }, 'agent failed');
      process.exit(1);
    };
    await runAgent({
      settings,
      version,
      client,
      clock: await bootClock(),
      log,
      signal: untilSignalled(),
      die,
    });
    log.info({}, 'agent stopped');
    return 0;
  } catch (error) {
    log.fatal({ err: error }, 'agent failed');
    return 1;
  }
}

function untilSignalled(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stopping.abort());
  return stopping.signal;
}
