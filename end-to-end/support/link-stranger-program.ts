import * as v from 'valibot';
import { connectTestAgent } from '../../src/hub/testing/test-agent.ts';

/** Connects to a hub with a token, and prints how the hub answers (`LinkWelcome`). */
async function main(): Promise<void> {
  const options = v.parse(optionsSchema, JSON.parse(process.argv[2] ?? ''));
  await using agent = await connectTestAgent(options);
  process.stdout.write(JSON.stringify(agent.welcome));
}

const optionsSchema = v.object({
  host: v.string(),
  port: v.number(),
  ca: v.string(),
  serverName: v.string(),
  token: v.string(),
});

void main();
