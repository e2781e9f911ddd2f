import { kubernetesVersion } from '../cluster/binaries.ts';
import { formatted } from './format-file.ts';
import { built } from './go-program.ts';
import { output } from './shell.ts';
import { checkout } from './target.ts';

/** A file of deploy/ that is rendered from the chart, for users without Helm. */
type Manifest = {
  readonly file: string;
  readonly header: readonly string[];
  /** The arguments of `helm template` other than release and namespace. */
  readonly args: readonly string[];
};

const manifests: readonly Manifest[] = [
  {
    file: 'deploy/podcap.yaml',
    header: [
      "Podcap's agent on every Linux Node: `kubectl apply -f deploy/podcap.yaml`.",
      'A comment at each privilege says what it is for; docs/security.md explains the consequences.',
    ],
    args: [],
  },
  {
    file: 'deploy/podcap-cluster.yaml',
    header: ['deploy/podcap.yaml for the cluster of `make cluster`, with deploy/values-cluster.yaml.'],
    args: ['--values', `${checkout}/deploy/values-cluster.yaml`],
  },
  {
    file: 'deploy/purge.yaml',
    header: [
      'Deletes the captures of every Node after the agents are removed: `make purge` applies and deletes it.',
    ],
    args: ['--set', 'purgeOnUninstall=true', '--show-only', 'templates/purge.yaml'],
  },
];

/**
 * Renders the manifests of deploy/ with helm, and returns them by their paths in the checkout. `make render` writes
 * them (render-manifests.ts), and deploy/chart.integration.test.ts compares them with the files.
 */
export async function renderManifests(): Promise<ReadonlyMap<string, string>> {
  const helm = await built('helm');
  const rendered = await Promise.all(
    manifests.map(async ({ file, header, args }) => {
      const yaml = await output(helm, [...template('podcap'), '--namespace', 'kube-system', ...args]);
      const lines = [
        ...header,
        'Rendered from deploy/chart by `make render`: edit the chart, not this file.',
      ];
      return [
        file,
        await formatted(file, `${lines.map((line) => `# ${line}\n`).join('')}${plain(yaml)}`),
      ] as const;
    }),
  );
  return new Map(rendered);
}

/** The arguments of `helm template` for a release of the chart, on the Kubernetes version that this checkout builds. */
export function template(release: string): string[] {
  return ['template', release, `${checkout}/deploy/chart`, '--kube-version', kubernetesVersion(checkout)];
}

/** Removes what is true only of objects that Helm itself installs. */
function plain(yaml: string): string {
  return yaml
    .replace(/^---\n/, '')
    .replaceAll(/^# Source: .*\n/gm, '')
    .replaceAll(/^ *annotations:\n(?: *helm\.sh\/(?:hook|resource-policy).*\n)+/gm, '')
    .replaceAll(/^ *(?:helm\.sh\/chart|app\.kubernetes\.io\/managed-by): .*\n/gm, '');
}
