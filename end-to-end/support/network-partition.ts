import { addresses } from '../../cluster/layout.ts';
import { run } from '../../src/testbed/run-program.ts';
import { nodeProcess } from './pod-processes.ts';

const table = 'podcap-test';

/** Silently drops all packets between the Pods of that Node and the API server, until `reconnect`. */
export async function partition(node: string): Promise<void> {
  const server = `ip daddr ${addresses.control} tcp dport 6443 drop; ip saddr ${addresses.control} tcp sport 6443 drop;`;
  const chain = `chain forward { type filter hook forward priority 0; ${server} }`;
  await inNetworkOf(node, 'nft', `table inet ${table} { ${chain}; }`);
}

/** Ends `partition`. */
export async function reconnect(node: string): Promise<void> {
  await inNetworkOf(node, 'nft', `delete table inet ${table}`);
}

/** Runs a command in the network of that Node and returns its standard output. */
export async function inNetworkOf(node: string, ...command: readonly string[]): Promise<string> {
  return await run(['nsenter', `--net=/proc/${nodeProcess(node)}/ns/net`, '--', ...command]);
}
