/** A time span as kubectl writes ages (duration.HumanDuration of apimachinery): one or two units, such as 4m30s or 3d5h. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1_000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return twoUnits(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return twoUnits(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return twoUnits(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.trunc(days / 365);
  return days < 2_920 ? twoUnits(years, 'y', days % 365, 'd') : `${years}y`;
}

/** A number of bytes as Kubernetes writes quantities: 512, 1.4Ki, 87Mi. */
export function humanBytes(bytes: number): string {
  let [rest, unit] = [bytes, ''];
  for (const larger of ['Ki', 'Mi', 'Gi', 'Ti', 'Pi']) {
    // What would be rounded to 1024 of a unit is 1 of the next.
    if (Math.round(rest) < 1_024) break;
    [rest, unit] = [rest / 1_024, larger];
  }
  const digits = unit !== '' && rest < 9.95 ? 1 : 0;
  return `${rest.toFixed(digits).replace(/[.]0$/, '')}${unit}`;
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
