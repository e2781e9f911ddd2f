import type { SettingDescription } from '../base/program-settings.ts';

/** How long an agent keeps files: `kubectl podcap`, which cannot see how it is set, names it as well. */
export const retentionSetting = {
  flag: 'retention-seconds',
  env: 'PODCAP_RETENTION_SECONDS',
  default: '3600',
  help: 'how long the captures of an ended Pod are kept, in seconds; 0 deletes them at once',
} as const satisfies SettingDescription;
