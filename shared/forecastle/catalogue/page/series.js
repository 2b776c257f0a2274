// A series: one model's forecast of it, with what was observed before. Days are numbers, see words.js.

import * as api from './api.js';
import {after, BY_WEEK, frequencyOf, WEEK, weekEnd} from './frequency.js';
import {round125} from './scales.js';
import {counted} from './trust.js';
import {tidy, toDay, toIso} from './words.js';

/** @import {Counts, Day, ForecastDay, ModelEntry, ObservedDay, Period, Series, View} from './types.d.ts' */

export const LEVELS = [0.5, 0.8, 0.95];
export const COMPARED = 1; // of LEVELS: the interval that is drawn where several series are

/**
 * What the model itself forecasts; other counts are made from it.
 * @type {(entry: Pick<ModelEntry, 'target' | 'frequency' | 'real'>) => Counts}
 */
export const ownCounts = ({target, frequency, real}) =>
  !real && /^cumulative\b/i.test(target ?? '') ? 'cumulative' : frequencyOf(frequency).adjective;

/**
 * What there may be of a model's forecasts: there is no running total of real numbers.
 * @type {(entry: Pick<ModelEntry, 'frequency' | 'real'>) => Counts[]}
 */
export const allCounts = ({frequency, real}) => [
  frequencyOf(frequency).adjective,
  ...(real ? [] : [/** @type {const} */ ('cumulative')]),
];

/**
 * Whether there are sums by week: of daily values that surely reach a whole week ahead.
 * @type {(entry: Pick<ModelEntry, 'frequency' | 'horizon'>) => boolean}
 */
export const hasWeeks = ({frequency, horizon}) => frequency === 'D' && (horizon ?? 0) >= 2 * WEEK - 1;

/**
 * The least value that there can be, if there is one.
 * @type {(entry: Pick<ModelEntry, 'minimum'>, period: Period | null) => number | null}
 */
export const least = ({minimum}, period) =>
  period && minimum ? Math.min(minimum, WEEK * minimum) : (minimum ?? null);

/**
 * @param {ModelEntry} entry
 * @param {string} code
 * @param {Counts} counts
 * @param {Period | null} period
 * @returns {Promise<Series>}
 */
export async function load(entry, code, counts, period) {
  const {model, noun, plural} = entry;
  const own = ownCounts(entry);
  const frequency = period ? BY_WEEK : frequencyOf(entry.frequency);
  const made = {period, counts: period || counts === own ? null : counts};
  const [observations, forecast, start] = await Promise.all([
    api.observations(entry, code),
    api.forecast(entry, code, {days: entry.horizon, level: LEVELS, ...made}),
    // What a running total had reached: the difference between the first date's total and its count.
    counts === 'cumulative' && counts !== own ? api.forecast(entry, code, {days: 1}) : null,
  ]);
  const days = forecast.forecast.map(
    /** @returns {ForecastDay} */
    (day) => ({
      day: toDay(day.date),
      mean: day.mean,
      median: day.median,
      intervals: day.intervals.map(({lower, upper}) => [lower, upper]),
    }),
  );
  let observed = observations.map((row) => ({day: toDay(row.date), value: row.observed}));
  if (start) observed = runningTotals(observed, Math.round(days[0].mean - start.forecast[0].mean));
  else if (counts !== own && own === 'cumulative') observed = differences(observed);
  if (period) observed = weeks(observed);
  return {
    model,
    version: forecast.version,
    noun: noun ?? 'series',
    plural: plural ?? '',
    code,
    name: forecast.name,
    what: (entry.real && forecast.target) || `${counts} ${forecast.unit}`,
    unit: forecast.unit,
    frequency,
    real: Boolean(entry.real),
    minimum: least(entry, period),
    data: counted(entry.data),
    counts,
    own,
    period,
    dataThrough: toDay(forecast.data_through),
    origin: toDay(forecast.origin_date),
    caveat: forecast.caveat,
    observed,
    forecast: days,
  };
}

/**
 * Backwards from the last date's total, as far as every date is known: earlier counts may not have been fitted.
 * @param {ObservedDay[]} observed
 * @param {number} total
 */
function runningTotals(observed, total) {
  /** @type {ObservedDay[]} */
  const totals = [];
  for (const {day, value} of observed.toReversed()) {
    totals.unshift({day, value: total});
    if (value == null) break;
    total -= value;
  }
  return totals;
}

/** @type {(observed: ObservedDay[]) => ObservedDay[]} */
function differences(observed) {
  return observed.slice(1).map(({day, value}, index) => {
    const before = observed[index].value;
    return {day, value: value == null || before == null ? null : value - before};
  });
}

/**
 * Sums over whole weeks; of one with a day that was not reported there is none.
 * @type {(observed: ObservedDay[]) => ObservedDay[]}
 */
function weeks(observed) {
  const values = new Map(observed.map(({day, value}) => [day, value]));
  return observed
    .filter(({day}) => day === weekEnd(day) && values.has(day - WEEK + 1))
    .map(({day}) => {
      const week = Array.from({length: WEEK}, (_, before) => values.get(day - before) ?? NaN);
      const sum = week.reduce((total, value) => total + value, 0);
      return {day, value: Number.isNaN(sum) ? null : sum};
    });
}

/**
 * Whether none of its values is below 0.
 * @type {(series: Series) => boolean}
 */
export const hasLog = ({minimum}) => minimum != null && minimum >= 0;

/**
 * Logarithmic where one series would flatten another: where they differ more than tenfold.
 * @param {Series[]} series
 * @returns {'linear' | 'log'}
 */
export function usualScale(series) {
  if (!series.every(hasLog)) return 'linear';
  const largest = series.map((one) =>
    Math.max(one.real ? Number.MIN_VALUE : 1, ...one.forecast.map(({intervals}) => intervals[COMPARED][1])),
  );
  return Math.max(...largest) > 10 * Math.min(...largest) ? 'log' : 'linear';
}

/** @type {(series: Series) => Day} */
export const firstDay = (series) => series.forecast[0].day;

/** @type {(series: Series) => ForecastDay} */
export const lastForecast = (series) => series.forecast[series.forecast.length - 1];

/** @type {(series: Series) => Day} */
export const lastDay = (series) => lastForecast(series).day;

/**
 * The date that is asked about where none is named.
 * @type {(series: Series) => Day}
 */
export const usualDay = ({forecast, frequency}) =>
  forecast[Math.min(frequency.ahead, forecast.length) - 1].day;

/**
 * One of the series' dates: the nearest one.
 * @param {Series} series
 * @param {Day} day
 */
export function nearestDay({frequency, observed, forecast}, day) {
  if (frequency.days === 1) return Math.round(day);
  const all = [...observed, ...forecast].map((each) => each.day);
  return all.reduce((best, each) => (Math.abs(each - day) < Math.abs(best - day) ? each : best), all[0]);
}

/**
 * One of the series' dates: that of a week is its last day.
 * @type {(series: Series, day: Day) => Day}
 */
export const namedDay = (series, day) => (series.period ? weekEnd(day) : nearestDay(series, day));

/**
 * The first day that names a date of the forecast.
 * @type {(series: Series) => Day}
 */
export const firstNamed = (series) => firstDay(series) - (series.period ? WEEK - 1 : 0);

/**
 * A number near the median, in digits that tell it from the interval's ends.
 * @param {Series} series
 * @param {Day} day
 */
export function usualThreshold(series, day) {
  const {median, intervals} = forecastOf(series, day) ?? lastForecast(series);
  if (!series.real) return Math.round(Number(median.toPrecision(2)));
  const [lower, upper] = intervals[LEVELS.length - 1];
  if (!(upper > lower)) return tidy(median);
  const step = round125((upper - lower) / 20);
  return tidy(Math.round(median / step) * step);
}

/**
 * The dates after the first of the forecast, or of the past.
 * @param {Series} series
 * @param {number} periods
 */
export const fromFirst = (series, periods) => after(series.frequency, firstDay(series), periods);

/** @type {(series: Series, day: Day) => ForecastDay | undefined} */
export const forecastOf = (series, day) => series.forecast.find((each) => each.day === day);

/** @type {(series: Series, day: Day) => ObservedDay | undefined} */
export const observedOn = (series, day) => series.observed.find((each) => each.day === day);

/**
 * The parameters of the probability that the value of a date, or the running total by its end, is above or below.
 * @param {Series} series
 * @param {View['side']} side
 * @param {number} threshold
 * @param {Day} day
 */
export function event({counts, own, period}, side, threshold, day) {
  if (period) return {[side]: threshold, on: toIso(day), period};
  if (counts === 'cumulative') return {[side]: threshold, by: toIso(day)};
  return {[side]: threshold, on: toIso(day), counts: own === counts ? null : counts};
}
