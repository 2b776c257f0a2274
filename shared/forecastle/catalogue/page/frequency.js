// How far the dates of a series lie apart, by pandas' aliases, as forecastle/frequency.py has them.

import {DAY} from './words.js';

/** @import {Day, Frequency, FrequencyWords} from './types.d.ts' */

/** @type {Record<string, FrequencyWords>} */
const WORDS = {
  D: {
    period: 'day',
    adjective: 'daily',
    during: 'on',
    through: 'by the end of',
    ahead: 14,
    leap: 7,
    old: 60,
    pasts: [
      {value: '4w', text: '4 weeks', periods: 28},
      {value: '8w', text: '8 weeks', periods: 56},
    ],
  },
  W: {
    period: 'week',
    adjective: 'weekly',
    during: 'in the week to',
    through: 'by the end of',
    ahead: 4,
    leap: 4,
    old: 60,
    pasts: [
      {value: '26w', text: '26 weeks', periods: 26},
      {value: '52w', text: '52 weeks', periods: 52},
    ],
  },
  MS: {
    period: 'month',
    adjective: 'monthly',
    during: 'in the month from',
    through: 'by the end of the month from',
    ahead: 6,
    leap: 12,
    old: 120,
    pasts: [
      {value: '2y', text: '2 years', periods: 24},
      {value: '5y', text: '5 years', periods: 60},
    ],
  },
  QS: {
    period: 'quarter',
    adjective: 'quarterly',
    during: 'in the quarter from',
    through: 'by the end of the quarter from',
    ahead: 4,
    leap: 4,
    old: 270,
    pasts: [
      {value: '5y', text: '5 years', periods: 20},
      {value: '10y', text: '10 years', periods: 40},
    ],
  },
  YS: {
    period: 'year',
    adjective: 'yearly',
    during: 'in the year from',
    through: 'by the end of the year from',
    ahead: 2,
    leap: 5,
    old: 800,
    pasts: [
      {value: '10y', text: '10 years', periods: 10},
      {value: '20y', text: '20 years', periods: 20},
    ],
  },
};
/** @type {Record<string, number>} */
const DAYS = {D: 1, W: 7};
/** @type {Record<string, number>} */
const MONTHS = {MS: 1, QS: 3, YS: 12};

const SATURDAY = 2; // days after 1970 began
export const WEEK = 7; // days

export const ADJECTIVES = Object.values(WORDS).map(({adjective}) => adjective);

/**
 * Daily until a model says otherwise.
 * @param {string | null | undefined} alias such as W-SAT
 * @returns {Frequency}
 */
export function frequencyOf(alias) {
  const name = (alias ?? 'D').split('-')[0];
  const words = WORDS[name];
  return {
    ...words,
    alias: alias ?? 'D',
    days: DAYS[name] ?? 0,
    months: MONTHS[name] ?? 0,
    periods: (number) => `${number} ${words.period}${number === 1 ? '' : 's'}`,
  };
}

/**
 * Of sums of daily values by week: they reach no further, so that less of the past stands beside them.
 * @type {Frequency}
 */
export const BY_WEEK = {
  ...frequencyOf('W-SAT'),
  ahead: 2,
  pasts: [
    {value: '8w', text: '8 weeks', periods: 8},
    {value: '26w', text: '26 weeks', periods: 26},
  ],
};

/**
 * The Saturday that ends a day's week, which began on a Sunday.
 * @param {Day} day
 * @returns {Day}
 */
export const weekEnd = (day) => day + ((((SATURDAY - day) % WEEK) + WEEK) % WEEK);

/**
 * The date so many periods after another one, or before it if they are negative.
 * @param {Frequency} frequency
 * @param {Day} day
 * @param {number} periods
 * @returns {Day}
 */
export function after({days, months}, day, periods) {
  if (days) return day + days * periods;
  const date = new Date(day * DAY);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months * periods, date.getUTCDate()) / DAY;
}

/**
 * How many whole periods the last date lies after the first.
 * @param {Frequency} frequency
 * @param {Day} first
 * @param {Day} last
 */
export function between({days, months}, first, last) {
  if (days) return Math.floor((last - first) / days);
  const [from, to] = [first, last].map((day) => {
    const date = new Date(day * DAY);
    return 12 * date.getUTCFullYear() + date.getUTCMonth();
  });
  return Math.floor((to - from) / months);
}
