// The chart's numbers as a table, on the page and as CSV.

import {element} from './dom.js';
import {forecastOf, LEVELS, observedOn} from './series.js';
import {capital, count, longDate, range, toIso} from './words.js';

/** @import {Series} from './types.d.ts' */

/** @param {Series} series */
function days(series) {
  const all = new Set([...series.observed, ...series.forecast].map(({day}) => day));
  return [...all].sort((one, other) => one - other);
}

/** @param {Series} series */
export function table(series) {
  const headings = [
    series.period ? 'Week to' : 'Date',
    'Observed',
    'Median',
    ...LEVELS.map((level) => `${100 * level} % interval`),
  ];
  return element(
    'table',
    {},
    element('caption', {}, `${capital(series.what)}, ${series.name}, model ${series.model}`),
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        headings.map((heading) => element('th', {scope: 'col'}, heading)),
      ),
    ),
    element(
      'tbody',
      {},
      days(series)
        .toReversed() // the forecast first
        .map((day) => {
          const [observed, forecast] = [observedOn(series, day), forecastOf(series, day)];
          const cells = [
            observed ? count(observed.value, series.real) : '',
            forecast ? count(forecast.median, series.real) : '',
            ...LEVELS.map((_, level) => (forecast ? range(forecast.intervals[level], series.real) : '')),
          ];
          return element(
            'tr',
            {},
            element('th', {scope: 'row'}, longDate(day)),
            cells.map((cell) => element('td', {}, cell)),
          );
        }),
    ),
  );
}

/**
 * One row a date of each series, which are all of one noun; names as in the API's own CSV.
 * @param {Series[]} allSeries
 */
export function csv(allSeries) {
  const bounds = LEVELS.flatMap((level) => [`lower_${level}`, `upper_${level}`]);
  /** @type {(string | number | null | undefined)[][]} */
  const rows = [
    [
      'model',
      'version',
      allSeries[0].noun,
      'name',
      'counts',
      'unit',
      'data',
      'date',
      'observed',
      'mean',
      'median',
      ...bounds,
    ],
  ];
  for (const series of allSeries) {
    const {model, version, code, name, counts, unit, data} = series;
    for (const day of days(series)) {
      const [observed, forecast] = [observedOn(series, day), forecastOf(series, day)];
      rows.push([
        model,
        version,
        code,
        name,
        counts,
        unit,
        data,
        toIso(day),
        observed?.value,
        forecast?.mean,
        forecast?.median,
        ...(forecast?.intervals.flat() ?? bounds.map(() => '')),
      ]);
    }
  }
  return rows.map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

/** @param {string | number | null | undefined} value */
function csvCell(value) {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
