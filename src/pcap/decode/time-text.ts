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
  if (seconds < 0 || seconds >= firstSecondOf10000) return rareDateText(seconds);
  const { year, month, day } = dateOf(Math.floor(seconds / daySeconds));
  return `${year}-${twoDigits[month]}-${twoDigits[day]}`;
}

const firstSecondOf10000 = 253_402_300_800;

/** As Date has it, which takes longer than everything else about a line together. */
function rareDateText(seconds: number): string {
  const known = Math.max(-lastSecond, Math.min(lastSecond, seconds));
  const text = new Date(known * 1000).toISOString();
  return text.slice(0, text.indexOf('T'));
}

/**
 * The date of a day since 1970, in the Gregorian calendar. It counts from March 1 of the year 0, so that a leap day is the
 * last of its year, and in eras of 400 years, which all have as many days (Howard Hinnant, "chrono-compatible low-level
 * date algorithms", civil_from_days).
 */
function dateOf(daysSince1970: number): {
  readonly year: number;
  readonly month: number;
  readonly day: number;
} {
  const days = daysSince1970 + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const leapDays =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthSinceMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthSinceMarch + 2) / 5) + 1;
  const isOfNextYear = monthSinceMarch >= 10;
  return {
    year: era * 400 + yearOfEra + (isOfNextYear ? 1 : 0),
    month: monthSinceMarch + (isOfNextYear ? -9 : 3),
    day,
  };
}
