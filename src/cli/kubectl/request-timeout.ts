/**
 * The milliseconds of kubectl's --request-timeout, which kubectl proxy does not apply; undefined if there is none. It
 * holds until an answer begins, as streams have no end. kubectl itself refuses what is no duration.
 */
export function requestTimeoutMs(flags: readonly string[]): number | undefined {
  const prefix = '--request-timeout=';
  const text = flags.findLast((flag) => flag.startsWith(prefix))?.slice(prefix.length) ?? '0';
  const seconds = /^\d+$/.test(text) ? Number(text) : secondsOf(text);
  return seconds > 0 ? Math.min(Math.ceil(seconds * 1_000), 2 ** 31 - 1) : undefined;
}

/** As Go writes durations: 1h30m, 1.5s, 200ms. */
function secondsOf(text: string): number {
  if (!/^(\d+([.]\d*)?(h|m|s|ms|us|µs|ns))+$/.test(text)) return 0;
  const parts = text.matchAll(/(\d+(?:[.]\d*)?)(h|ms|m|s|us|µs|ns)/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0);
}

const units: Readonly<Record<string, number>> = {
  h: 3_600,
  m: 60,
  s: 1,
  ms: 1e-3,
  us: 1e-6,
  µs: 1e-6,
  ns: 1e-9,
};
