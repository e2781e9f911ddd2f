import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkoutFolders } from '../../cluster/layout.ts';
import { temporaryFolder } from '../../src/testbed/temporary-folder.ts';
import { checkout } from '../../tools/target.ts';
import type { FrontProxy } from './front-proxy.ts';

/** Milliseconds that `kubectl get captures -A` takes, from its start to its end, without a cache of what it discovers. */
export async function listWithKubectl({ url }: FrontProxy): Promise<number> {
  await using folder = await temporaryFolder();
  const kubectl = join(checkoutFolders(checkout).bin, 'kubectl');
  const args = ['--server', url, '--kubeconfig', '/dev/null', '--cache-dir', folder.path];
  const startMs = performance.now();
  const listing = promisify(execFile)(kubectl, [...args, 'get', 'captures.podcap.dev', '-A'], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const { stdout, stderr } = await listing;
  const ms = performance.now() - startMs;
  if (!stdout.startsWith('NAMESPACE')) throw new Error(`kubectl printed no list: ${stderr}`);
  return ms;
}
