/** A time since 1970 and how it is shown. */
export type ShownTime = {
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly time: 'of-day' | 'with-date';
  readonly resolution: 'us' | 'ns';
};

const daySeconds = 86_400;

/** The last second that a Date knows, about 270,000 years from now. */
const lastSecond = 8_640_000_000_000;

/** The time in UTC, as RFC 3339 writes it; only the time of day if that is asked for. */
export function timeText({ seconds, nanoseconds, time, resolution }: ShownTime): string {
  const ofDay = ((seconds % daySeconds) + daySeconds) % daySeconds;
  const minutes = Math.floor(ofDay / 60);
  const clock = `${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}:${twoDigits(ofDay % 60)}`;
  const fraction =
    resolution === 'ns'
      ? digits(nanoseconds, 1_000_000_000)
      : digits(Math.floor(nanoseconds / 1000), 1_000_000);
  return time === 'of-day' ? `${clock}.${fraction}` : `${dateText(seconds)}T${clock}.${fraction}Z`;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}

/** With as many zeros in front as `limit` has. */
function digits(value: number, limit: number): string {
  return `${limit + (value % limit)}`.slice(1);
}

function dateText(seconds: number): string {
  const known = Math.max(-lastSecond, Math.min(lastSecond, seconds));
  const text = new Date(known * 1000).toISOString();
  return text.slice(0, text.indexOf('T'));
}
