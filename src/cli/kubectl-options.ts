import type { CliOption } from './cli-command.ts';

/**
 * The options that `kubectl options` lists: kubectl takes none before a plugin's name, so the plugin takes them after it,
 * and passes them on. kubectl 1.36 has these; an older one says itself which of them it does not know.
 */
export const kubectlOptions: readonly CliOption[] = [
  {
    name: 'namespace',
    short: 'n',
    value: 'NAMESPACE',
    description: 'the namespace, if not that of the context',
  },
  { name: 'context', value: 'NAME', description: 'the context of the kubeconfig' },
  { name: 'kubeconfig', value: 'FILE', description: 'the kubeconfig' },
  { name: 'cluster', value: 'NAME', description: 'the cluster of the kubeconfig' },
  { name: 'user', value: 'NAME', description: 'the user of the kubeconfig' },
  { name: 'as', value: 'USER', description: 'the user to impersonate' },
  { name: 'as-group', value: 'GROUP', description: 'a group to impersonate', isRepeatable: true },
  { name: 'as-uid', value: 'UID', description: 'the UID to impersonate' },
  { name: 'as-user-extra', value: 'KEY=VALUE', description: 'an extra to impersonate', isRepeatable: true },
  { name: 'token', value: 'TOKEN', description: 'the bearer token' },
  { name: 'username', value: 'NAME', description: 'the name for basic authentication' },
  { name: 'password', value: 'PASSWORD', description: 'the password for basic authentication' },
  { name: 'server', short: 's', value: 'URL', description: 'the API server' },
  { name: 'tls-server-name', value: 'NAME', description: 'the name that its certificate must have' },
  { name: 'certificate-authority', value: 'FILE', description: 'the certificate that signs its own' },
  { name: 'client-certificate', value: 'FILE', description: 'the certificate of the client' },
  { name: 'client-key', value: 'FILE', description: 'the key of the client' },
  { name: 'insecure-skip-tls-verify', description: 'accept every certificate of the API server' },
  { name: 'request-timeout', value: 'DURATION', description: 'how long a request may take' },
  { name: 'disable-compression', description: 'ask for answers without compression' },
  { name: 'cache-dir', value: 'FOLDER', description: 'where kubectl keeps what it knows of the API' },
  { name: 'kuberc', value: 'FILE', description: "kubectl's preferences" },
  { name: 'match-server-version', description: 'require that kubectl has the version of the API server' },
  { name: 'warnings-as-errors', description: 'fail when the API server warns' },
  { name: 'log-flush-frequency', value: 'DURATION', description: 'how often kubectl writes its log' },
  { name: 'profile', value: 'NAME', description: 'a profile of kubectl itself' },
  { name: 'profile-output', value: 'FILE', description: 'where to write it' },
  { name: 'v', short: 'v', value: 'LEVEL', description: 'how much kubectl logs: 6 shows its requests' },
  { name: 'vmodule', value: 'PATTERN=LEVEL,...', description: 'the same by source file' },
];
