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
  if (seconds < 0 || seconds >= firstSecondOf10000) return rareDateText(seconds);
  const { year, month, day } = dateOf(Math.floor(seconds / daySeconds));
  return `${year}-${twoDigits(month)}-${twoDigits(day)}`;
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
