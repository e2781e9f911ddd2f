/** A time and how it is shown. */
export type ShownTime = {
  /** Since 1970: whole seconds, and the rest. */
  readonly seconds: number;
  readonly nanoseconds: number;
  /** `of-day`: 12:31:04.123456; `with-date`: 2026-07-28T12:31:04.123456Z. In UTC, as `kubectl logs --timestamps`. */
  readonly time: 'of-day' | 'with-date';
  /** Six or nine digits of the fraction. */
  readonly resolution: 'us' | 'ns';
};

const daySeconds = 86_400;

/** The last second that a Date knows, about 270,000 years from now. */
const lastSecond = 8_640_000_000_000;

/** Numbers with zeros in front; looked up, because each line has five of them. */
const twoDigits = Array.from({ length: 100 }, (_, value) => `${value}`.padStart(2, '0'));
const threeDigits = Array.from({ length: 1000 }, (_, value) => `${value}`.padStart(3, '0'));

/** The time in UTC, as RFC 3339 writes it; only the time of day if that is asked for. */
export function timeText({ seconds, nanoseconds, time, resolution }: ShownTime): string {
  const ofDay = ((seconds % daySeconds) + daySeconds) % daySeconds;
  const minutes = Math.floor(ofDay / 60);
  const hour = twoDigits[Math.floor(minutes / 60)];
  const microseconds = Math.floor(nanoseconds / 1000);
  const fraction = `${threeDigits[Math.floor(microseconds / 1000) % 1000]}${threeDigits[microseconds % 1000]}`;
  const finer = resolution === 'ns' ? threeDigits[nanoseconds % 1000] : '';
  const clock = `${hour}:${twoDigits[minutes % 60]}:${twoDigits[ofDay % 60]}.${fraction}${finer}`;
  return time === 'of-day' ? clock : `${dateText(seconds)}T${clock}Z`;
}

function dateText(seconds: number): string {
  const known = Math.max(-lastSecond, Math.min(lastSecond, seconds));
  const text = new Date(known * 1000).toISOString();
  return text.slice(0, text.indexOf('T'));
}
