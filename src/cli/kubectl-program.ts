/** The kubectl that has started this plugin, which kubectl names from 1.37 on; otherwise the one in PATH. */
export function kubectlProgram(env: NodeJS.ProcessEnv): string {
  return env['KUBECTL_PATH'] || 'kubectl';
}
