import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A hash of what a checkout makes a cluster from: its code and the versions of its programs. */
export function clusterVersion(checkout: string): string {
  const folder = join(checkout, 'cluster');
  const hash = createHash('sha256');
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()) {
    if (/\.(ts|sh|mod)$/.test(file) && !file.endsWith('.test.ts')) {
      hash.update(file).update(readFileSync(join(folder, file)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}
