import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Source and destination of every IPv4 packet in capture files, as tshark reads them. */
export async function capturedAddresses(paths: readonly string[]): Promise<string[][]> {
  const fields = ['-T', 'fields', '-E', 'separator=/s', '-e', 'ip.src', '-e', 'ip.dst'];
  const read = paths.map(async (path) => {
    const options = ['-n', '-r', path, '-Y', 'ip and not icmp', ...fields];
    const { stdout } = await promisify(execFile)('tshark', options, { maxBuffer: 256 * 1024 * 1024 });
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '));
  });
  return (await Promise.all(read)).flat();
}
