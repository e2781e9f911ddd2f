import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cliCommands } from '../../src/cli/cli-commands.ts';
import { overview } from '../../src/cli/help/overview.ts';
import { clientVersion } from '../../src/cli/version/client-version.ts';
import { buildCli, oldestNode } from '../build-cli.ts';
import { output } from '../shell.ts';
import { checkout } from '../target.ts';
import { bundleLicenses } from './licenses.ts';

/**
 * Writes the npm package kubectl-podcap into a folder. `homepage` is its repository, if that is known: npm compares it with
 * where the package was made. Returns the path of its archive.
 */
export async function packNpm(folder: string, homepage?: string): Promise<string> {
  const content = join(folder, 'npm');
  await rm(content, { recursive: true, force: true });
  await mkdir(content, { recursive: true });
  const metafile = await buildCli(content);
  await rm(join(content, 'kubectl-podcap'));
  await writeFile(join(content, 'third-party-licenses.txt'), await bundleLicenses(metafile));
  await copyFile(`${checkout}/LICENSE`, join(content, 'LICENSE'));
  await writeFile(join(content, 'README.md'), readme);
  await writeFile(join(content, 'package.json'), await packageDescription(homepage));
  await output('npm', ['pack', content, `--pack-destination=${folder}`, '--silent']);
  return join(folder, `kubectl-podcap-${clientVersion}.tgz`);
}

const readme = `# kubectl podcap

\`\`\`
${overview(cliCommands).trim()}
\`\`\`

It needs Podcap's agents and its hub in the cluster.
`;

async function packageDescription(homepage: string | undefined): Promise<string> {
  const { license }: { readonly license: string } = JSON.parse(
    await readFile(`${checkout}/package.json`, 'utf8'),
  );
  const description = {
    name: 'kubectl-podcap',
    version: clientVersion,
    description: 'A kubectl plugin that captures the packets of Pods',
    license,
    ...(homepage !== undefined && { homepage, repository: { type: 'git', url: `git+${homepage}.git` } }),
    keywords: ['kubectl', 'kubectl-plugin', 'kubernetes', 'pcap', 'wireshark', 'tcpdump'],
    engines: { node: `>=${oldestNode.text}` },
    os: ['linux', 'darwin'],
    bin: {
      'kubectl-podcap': 'cli/kubectl-podcap.cjs',
      'kubectl_complete-podcap': 'kubectl_complete-podcap',
    },
    man: ['kubectl-podcap.1'],
  };
  return `${JSON.stringify(description, undefined, 2)}\n`;
}
