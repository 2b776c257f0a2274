// Numbers and dates as people read them. A day is a number: days since 1970, in UTC.

/** @import {Day, Interval} from './types.d.ts' */

export const DAY = 86400000; // milliseconds
const whole = new Intl.NumberFormat('en-GB', {maximumFractionDigits: 0});
const fine = new Intl.NumberFormat('en-GB', {maximumSignificantDigits: 2});
const three = new Intl.NumberFormat('en-GB', {maximumSignificantDigits: 3});
const compact = new Intl.NumberFormat('en-GB', {notation: 'compact', maximumSignificantDigits: 3});
/** @param {Intl.DateTimeFormatOptions} options */
const inWords = (options) => new Intl.DateTimeFormat('en-GB', {timeZone: 'UTC', ...options});
const long = inWords({day: 'numeric', month: 'long', year: 'numeric'});
const brief = inWords({day: 'numeric', month: 'short'});
const month = inWords({month: 'short', year: 'numeric'});
const relative = new Intl.RelativeTimeFormat('en-GB', {numeric: 'auto'});

/** @type {(iso: string) => Day} */
export const toDay = (iso) => Date.parse(iso.slice(0, 10)) / DAY;
/** @type {(day: Day) => string} */
export const toIso = (day) => new Date(day * DAY).toISOString().slice(0, 10);

/**
 * How the page writes a date everywhere, except at the chart's axis and in files.
 * @type {(day: Day) => string}
 */
export const longDate = (day) => long.format(day * DAY);
/**
 * Words of the API, in which dates are ISO 8601.
 * @type {(text: string) => string}
 */
export const prose = (text) => text.replace(/\b\d{4}-\d\d-\d\d\b/g, (iso) => longDate(toDay(iso)));
/**
 * At the chart's axis.
 * @type {(day: Day) => string}
 */
export const briefDate = (day) => brief.format(day * DAY);
/** @type {(day: Day) => string} */
export const briefMonth = (day) => month.format(day * DAY);
/** @type {(day: Day) => string} */
export const year = (day) => String(new Date(day * DAY).getUTCFullYear());

/**
 * 1,234, and 3.4 where the size of a step of 1 would hide something; of real numbers at least three digits.
 * @param {number | null} value
 */
export function count(value, real = false) {
  if (value == null) return real ? 'no value' : 'no count';
  if (Math.abs(value) >= 1e7) return compact.format(value);
  if (real) return (Math.abs(value) < 1000 ? three : whole).format(value);
  return Math.abs(value) < 10 ? fine.format(value) : whole.format(value);
}

/** @type {(interval: Interval, real: boolean) => string} */
export const range = ([lower, upper], real) => `${count(lower, real)} to ${count(upper, real)}`;

/**
 * Without the digits that only the computer's arithmetic puts behind it: 0.3 for 0.30000000000000004.
 * @param {number} value
 */
export const tidy = (value) => Number(value.toPrecision(12));

/**
 * 0.104 is 10 %, 0.004 is 0.4 %, 0.996 is 99.6 %. A share of no draw, or of all, is not a probability of 0 or 1.
 * @param {number} share
 * @param {number} draws
 */
export function percent(share, draws) {
  if (share * draws < 0.5) return `< ${fine.format(100 / draws)} %`;
  if ((1 - share) * draws < 0.5) return `> ${100 - 100 / draws} %`;
  if (share > 0.95) return `${(100 * share).toFixed(1)} %`;
  return `${fine.format(100 * share)} %`;
}

/**
 * Percentage points.
 * @type {(share: number) => string}
 */
export const points = (share) => `${(100 * share).toPrecision(2)} points`;

/** @type {(text: string) => string} */
export const capital = (text) => text[0].toUpperCase() + text.slice(1);

/**
 * How long before now a day was.
 * @param {Day} day
 */
export function ago(day) {
  const days = Math.floor(Date.now() / DAY) - day;
  if (days < 60) return relative.format(-days, 'day');
  if (days < 730) return relative.format(-Math.round(days / 30.44), 'month');
  return relative.format(-Math.floor(days / 365.25), 'year');
}
