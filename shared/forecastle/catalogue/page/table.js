// The chart's numbers as a table, on the page and as CSV.

import {element} from './dom.js';
import {LEVELS, forecastOf, observedOn} from './series.js';
import {count, longDate, range, toIso} from './words.js';

function days(series) {
  const all = new Set([...series.observed, ...series.forecast].map(({day}) => day));
  return [...all].sort((one, other) => one - other);
}

export function table(series) {
  const heads = ['Date', 'Observed', 'Median', ...LEVELS.map((level) => `${100 * level} % interval`)];
  return element(
    'table',
    {},
    element(
      'caption',
      {},
      `${series.counts === 'daily' ? 'Daily' : 'Cumulative'} ${series.unit}, ${series.name}, model ${series.model}`,
    ),
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        heads.map((head) => element('th', {scope: 'col'}, head)),
      ),
    ),
    element(
      'tbody',
      {},
      days(series)
        .toReversed() // the forecast first
        .map((day) => {
          const [seen, then] = [observedOn(series, day), forecastOf(series, day)];
          const cells = [
            seen ? count(seen.value) : '',
            then ? count(then.median) : '',
            ...LEVELS.map((_, level) => (then ? range(then.intervals[level]) : '')),
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

// One row a day of each series; names as in the API's own CSV.
export function csv(allSeries) {
  const bounds = LEVELS.flatMap((level) => [`lower_${level}`, `upper_${level}`]);
  const rows = [
    [
      'model',
      'version',
      'country',
      'name',
      'counts',
      'unit',
      'date',
      'observed',
      'mean',
      'median',
      ...bounds,
    ],
  ];
  for (const series of allSeries) {
    const {model, version, code, name, counts, unit} = series;
    for (const day of days(series)) {
      const [seen, then] = [observedOn(series, day), forecastOf(series, day)];
      const values = [
        seen?.value,
        then?.mean,
        then?.median,
        ...(then?.intervals ?? bounds.slice(1).map(() => '')).flat(),
      ];
      rows.push([
        model,
        version,
        code,
        name,
        counts,
        unit,
        toIso(day),
        ...values.slice(0, 3 + bounds.length),
      ]);
    }
  }
  const cell = (value) => (/[",\r\n]/.test(value ?? '') ? `"${value.replaceAll('"', '""')}"` : (value ?? ''));
  return rows.map((row) => row.map(cell).join(',') + '\r\n').join('');
}
