// Scales: from values to pixels and back, with ticks at round values.

import {briefDate, briefMonth, DAY, year} from './words.js';

/** @import {Day, Frequency, Interval, Scale} from './types.d.ts' */
/** @typedef {{day: Day, text: string}} DateTick */

/**
 * The least 1, 2 or 5 times a power of ten that is not below the value; `down`: the greatest not above it.
 * @param {number} value
 */
export function round125(value, down = false) {
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 5, 10].map((step) => step * power);
  // Of powers of ten below 1, neither is exact.
  const round = down
    ? steps.findLast((step) => step <= value * (1 + 1e-9))
    : steps.find((step) => step >= value * (1 - 1e-9));
  return round ?? NaN;
}

/**
 * @param {Interval} domain
 * @param {Interval} pixels
 * @returns {Scale}
 */
export function linear([low, high], [start, end]) {
  /** @param {number} value */
  const scale = (value) => start + ((value - low) / (high - low)) * (end - start);
  /** @param {number} pixel */
  scale.invert = (pixel) => low + ((pixel - start) / (end - start)) * (high - low);
  /** @param {number} most */
  scale.ticks = (most) => {
    const step = round125((high - low) / most);
    const first = Math.ceil(low / step);
    return Array.from(
      {length: Math.floor(high / step + 1e-9) - first + 1},
      (_, index) => (first + index) * step,
    );
  };
  return scale;
}

/**
 * Values below the least of the domain, 0 among them, are drawn at its edge.
 * @param {Interval} domain
 * @param {Interval} pixels
 * @returns {Scale}
 */
export function log([low, high], [start, end]) {
  const straight = linear([Math.log10(low), Math.log10(high)], [start, end]);
  /** @param {number} value */
  const scale = (value) => straight(Math.log10(Math.max(value, low)));
  /** @param {number} pixel */
  scale.invert = (pixel) => 10 ** straight.invert(pixel);
  /** @param {number} most */
  scale.ticks = (most) => {
    /** @type {number[]} */
    const powers = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1)
      powers.push(10 ** power);
    const finer = [[1, 2, 5], [1, 3], [1]].find((steps) => powers.length * steps.length <= most) ?? [1];
    const every = Math.ceil(powers.length / most);
    return powers
      .filter((_, index) => index % every === 0)
      .flatMap((power) => finer.map((step) => step * power))
      .filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
  };
  return scale;
}

/**
 * Dates of the axis and what stands below them, no more than there is room for.
 * @param {Frequency} frequency
 * @param {Day} first
 * @param {Day} last one of the series' dates
 * @param {number} most
 * @returns {DateTick[]}
 */
export function dateTicks({days, months}, first, last, most) {
  if (days === 1) return dayTicks(first, last, most).map((day) => ({day, text: briefDate(day)}));
  const all = Array.from({length: last - first + 1}, (_, index) => last - index);
  const weeks = all.filter((day) => days && (last - day) % days === 0);
  const starts = all.filter((day) => new Date(day * DAY).getUTCDate() === 1);
  /** @param {number} every months */
  const monthsApart = (every) =>
    starts.filter((day) => {
      const date = new Date(day * DAY);
      return (12 * date.getUTCFullYear() + date.getUTCMonth()) % every === 0;
    });
  const choices = [
    ...(days ? [1, 2] : []).map((every) => ({
      ticks: weeks.filter((_, index) => index % every === 0),
      text: briefDate,
    })),
    ...[1, 3, 6]
      .filter((every) => every >= months)
      .map((every) => ({ticks: monthsApart(every), text: briefMonth})),
    ...[1, 2, 5, 10, 20, 50, 100].map((every) => ({ticks: monthsApart(12 * every), text: year})),
  ];
  const {ticks, text} = choices.find((choice) => choice.ticks.length <= most) ?? choices[choices.length - 1];
  return ticks.map((day) => ({day, text: text(day)}));
}

/**
 * Mondays or firsts of a month, as few as there is room for.
 * @param {Day} first
 * @param {Day} last
 * @param {number} most
 * @returns {Day[]}
 */
function dayTicks(first, last, most) {
  const days = Array.from({length: last - first + 1}, (_, index) => first + index);
  const mondays = days.filter((day) => (day + 3) % 7 === 0); // 1970 began on a Thursday
  for (const every of [1, 2]) {
    if (mondays.length / every <= most) return mondays.filter((_, index) => index % every === 0);
  }
  const firsts = days.filter((day) => new Date(day * DAY).getUTCDate() === 1);
  return firsts.filter((_, index) => index % Math.ceil(firsts.length / most) === 0);
}
