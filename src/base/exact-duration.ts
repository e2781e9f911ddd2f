/** A time span as people ask for it: 45s, 1m30s, 10m, 25h. Nothing is rounded, as `humanDuration` does. */
export function exactDuration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  const parts = [
    [Math.floor(minutes / 60), 'h'],
    [minutes % 60, 'm'],
    [(ms % 60_000) / 1_000, 's'],
  ] as const;
  const text = parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('');
  return text || '0s';
}
