// Beside the chart, in words: the values of a day, and the probability of what is asked.

import {element, svg} from './dom.js';
import {LEVELS, firstDay, forecastOf, lastDay, observedOn} from './series.js';
import {capital, count, longDate, percent, points, range} from './words.js';

const swatch = (index) => element('span', {class: `swatch series-${index}`});
const reach = (one) => `The forecast reaches from ${longDate(firstDay(one))} to ${longDate(lastDay(one))}.`;

// `remove(member)` takes a comparison away.
export function readings(series, missing, day, remove) {
  const several = series.length + missing.length > 1;
  const head = (one, index) =>
    element(
      'p',
      {class: 'name'},
      index == null ? '' : swatch(index),
      one.title,
      one.member && removal(one, remove),
    );
  return [
    ...series.map((one, index) => element('li', {}, several && head(one, index), values(one, day, several))),
    ...missing.map((one) =>
      element('li', {}, head(one), element('p', {class: 'quiet'}, one.problem.message)),
    ),
  ];
}

function values(one, day, several) {
  const [seen, then] = [observedOn(one, day), forecastOf(one, day)];
  if (!seen && !then)
    return element('p', {class: 'quiet'}, day < firstDay(one) ? 'Not among what was fitted.' : reach(one));
  const list = element('dl');
  const pair = (mark, term, value) =>
    list.append(
      element('div', {}, element('dt', {}, several ? '' : key(mark), term), element('dd', {}, value)),
    );
  if (seen) pair('observed', 'Observed', count(seen.value));
  if (then) {
    pair('median', 'Median', count(then.median));
    LEVELS.forEach((level, at) =>
      pair(`level-${100 * level}`, `${100 * level} %`, range(then.intervals[at])),
    );
  }
  return list;
}

// What the chart has it as.
function key(mark) {
  const drawn =
    {
      observed: svg('circle', {class: 'observed series-0', cx: 8, cy: 6, r: 3}),
      median: svg('path', {class: 'median series-0', d: 'M0 6H16'}),
    }[mark] ?? svg('rect', {class: `band series-0 ${mark}`, width: 16, height: 12});
  return svg(
    'svg',
    {class: 'key', viewBox: '0 0 16 12', width: 16, height: 12, 'aria-hidden': 'true'},
    drawn,
  );
}

function removal(one, remove) {
  const button = element(
    'button',
    {type: 'button', class: 'remove', 'aria-label': `Remove ${one.title}`},
    '×',
  );
  button.addEventListener('click', () => remove(one.member));
  return button;
}

// `told`: for each series what Promise.allSettled has of its probability; null where its forecast does not reach.
export function answers(series, told) {
  return element(
    'ul',
    {},
    series.map((one, index) => {
      const {value, reason} = told[index];
      return element(
        'li',
        {},
        series.length > 1 && element('p', {class: 'name'}, swatch(index), one.title),
        ...(value ? chance(value, index) : [element('p', {class: 'quiet'}, reason?.message ?? reach(one))]),
        value &&
          element(
            'p',
            {class: 'quiet'},
            series.length > 1 ? sure(value) : `${capital(value.event)}. ${sure(value)}`,
          ),
      );
    }),
  );
}

function chance({probability, draws}, index) {
  return [
    element('p', {class: 'chance'}, element('data', {value: probability}, percent(probability, draws))),
    svg(
      'svg',
      {
        class: `bar series-${index}`,
        viewBox: '0 0 100 6',
        preserveAspectRatio: 'none',
        'aria-hidden': 'true',
      },
      svg('rect', {class: 'track', width: 100, height: 6}),
      svg('rect', {class: 'share', width: 100 * probability, height: 6}),
    ),
  ];
}

const sure = ({draws, monte_carlo_error: error}) =>
  `${count(draws)} draws; Monte Carlo error ${points(error)}.`;
