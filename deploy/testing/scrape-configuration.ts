import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkout } from '../../tools/target.ts';

/**
 * Returns the `scrape_configs` that docs/metrics.md tells users to add, as YAML.
 *
 * @throws Error if the page has none.
 */
export async function documentedScrapeConfiguration(): Promise<string> {
  const page = await readFile(join(checkout, 'docs/metrics.md'), 'utf8');
  const [, configuration] = /^```yaml\n(scrape_configs:\n[^]*?)^```/m.exec(page) ?? [];
  if (configuration === undefined) throw new Error('docs/metrics.md has no scrape configuration');
  return configuration;
}
