/** An archive of the release. */
export type ReleasedArchive = {
  readonly os: 'linux' | 'darwin';
  readonly cpu: 'x64' | 'arm64';
  readonly url: string;
  /** In hexadecimal. */
  readonly sha256: string;
};

/** The manifest with which krew installs the plugin. */
export function krewManifest(
  archives: readonly ReleasedArchive[],
  { version, homepage }: { readonly version: string; readonly homepage: string },
): string {
  return `apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: podcap
spec:
  version: v${version}
  homepage: ${homepage}
  shortDescription: Capture the packets of Pods
  description: |
    Shows the packets of Pods as they pass, keeps the newest ones in the cluster,
    and downloads them as one capture file for Wireshark and tcpdump.
  caveats: |
    Podcap's agents and its hub must run in the cluster: ${homepage}
    To complete its command line, load the script of
    "kubectl podcap completion --help" in your shell.
  platforms:
${archives.map(platform).join('')}`;
}

function platform({ os, cpu, url, sha256 }: ReleasedArchive): string {
  return `    - selector:
        matchLabels:
          os: ${os}
          arch: ${goArchitectures[cpu]}
      uri: ${url}
      sha256: ${sha256}
      bin: kubectl-podcap
`;
}

/** As Go and Kubernetes call them. */
export const goArchitectures = { x64: 'amd64', arm64: 'arm64' } as const;
