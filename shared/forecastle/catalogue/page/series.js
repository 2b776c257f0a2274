// A series: one model's forecast for one country, with what was observed before it. Days are numbers, see words.js.

import * as api from './api.js';
import {counted} from './trust.js';
import {toDay, toIso} from './words.js';

/** @import {Counts, Day, ForecastDay, Interval, ModelEntry, ObservedDay, Series, View} from './types.d.ts' */

export const LEVELS = [0.5, 0.8, 0.95];
export const COMPARED = 1; // of LEVELS: the interval that is drawn where several series are

/**
 * What the model itself forecasts; other counts are made from it.
 * @type {(entry: Pick<ModelEntry, 'target'>) => Counts}
 */
export const ownCounts = ({target}) => (/^cumulative\b/i.test(target ?? '') ? 'cumulative' : 'daily');

/**
 * @param {ModelEntry} entry
 * @param {string} code
 * @param {Counts} counts
 * @returns {Promise<Series>}
 */
export async function load(entry, code, counts) {
  const {model} = entry;
  const own = ownCounts(entry);
  const parameters = {days: entry.horizon, level: LEVELS};
  const [observations, forecast, start] = await Promise.all([
    api.observations(model, code),
    api.forecast(model, code, counts === own ? parameters : {...parameters, counts}),
    // What a running total had reached: the difference between the first day's total and its count.
    counts !== own && own === 'daily' ? api.forecast(model, code, {days: 1}) : null,
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
  else if (counts !== own) observed = differences(observed);
  return {
    model,
    version: forecast.version,
    code: forecast.country,
    name: forecast.name,
    unit: forecast.unit,
    data: counted(entry.data),
    counts,
    own,
    dataThrough: toDay(forecast.data_through),
    origin: toDay(forecast.origin_date),
    caveat: forecast.caveat,
    observed,
    forecast: days,
  };
}

/**
 * Backwards from the last day's total, as far as every day is known: earlier deaths may not have been fitted.
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
 * Logarithmic where one series would flatten another: where they differ more than tenfold.
 * @param {Series[]} series
 * @returns {'linear' | 'log'}
 */
export function usualScale(series) {
  const largest = series.map((one) =>
    Math.max(1, ...one.forecast.map(({intervals}) => intervals[COMPARED][1])),
  );
  return Math.max(...largest) > 10 * Math.min(...largest) ? 'log' : 'linear';
}

/** @type {(series: Series) => Day} */
export const firstDay = (series) => series.forecast[0].day;

/** @type {(series: Series) => ForecastDay} */
export const lastForecast = (series) => series.forecast[series.forecast.length - 1];

/** @type {(series: Series) => Day} */
export const lastDay = (series) => lastForecast(series).day;

/** @type {(series: Series, day: Day) => ForecastDay | undefined} */
export const forecastOf = (series, day) => series.forecast.find((each) => each.day === day);

/** @type {(series: Series, day: Day) => ObservedDay | undefined} */
export const observedOn = (series, day) => series.observed.find((each) => each.day === day);

/**
 * The parameters of the probability that the count on a day, or the running total by its end, is above or below.
 * @param {Series} series
 * @param {View['side']} side
 * @param {number} threshold
 * @param {Day} day
 */
export function event({counts, own}, side, threshold, day) {
  if (counts === 'cumulative') return {[side]: threshold, by: toIso(day)};
  return {[side]: threshold, on: toIso(day), counts: own === 'daily' ? null : 'daily'};
}
