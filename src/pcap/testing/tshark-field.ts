import { run } from '../../testbed/run-program.ts';

/** A field of each packet that a display filter of tshark matches. */
export async function tsharkField(path: string, field: string, filter: string): Promise<readonly string[]> {
  const output = await run(['tshark', '-n', '-r', path, '-Y', filter, '-T', 'fields', '-e', field]);
  return output.split('\n').slice(0, -1);
}
