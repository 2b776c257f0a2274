// Beside the chart, in words: the values of a date, and the probability of what is asked.

import {element, svg} from './dom.js';
import {firstDay, firstNamed, forecastOf, LEVELS, lastDay, observedOn} from './series.js';
import {capital, count, longDate, percent, points, prose, range} from './words.js';

/** @import {Day, Member, MissingSeries, NamedSeries, Names, Probability, Series, View} from './types.d.ts' */

/** @param {number} index */
const swatch = (index) => element('span', {class: `swatch series-${index}`});
/** @param {Series} one */
export const reach = (one) =>
  `The forecast reaches from ${longDate(firstNamed(one))} to ${longDate(lastDay(one))}.`;

/**
 * @param {NamedSeries[]} series
 * @param {MissingSeries[]} missing
 * @param {Day} day
 * @param {(member: string) => void} remove takes a comparison away
 */
export function readings(series, missing, day, remove) {
  const several = series.length + missing.length > 1;
  /** @type {(one: Member & Names, swatch?: HTMLElement) => HTMLElement} */
  const heading = ({title, member}, mark) =>
    element('p', {class: 'name'}, mark, title, member && removal(title, () => remove(member)));
  return [
    ...series.map((one, index) =>
      element('li', {}, several && heading(one, swatch(index)), values(one, day, several)),
    ),
    ...missing.map((one) =>
      element('li', {}, heading(one), element('p', {class: 'quiet'}, prose(one.problem.message))),
    ),
  ];
}

/**
 * @param {Series} one
 * @param {Day} day
 * @param {boolean} several
 */
function values(one, day, several) {
  const [observed, forecast] = [observedOn(one, day), forecastOf(one, day)];
  if (!observed && !forecast) {
    const why =
      day < firstDay(one) ? `The model was not fitted to this ${one.frequency.period}.` : reach(one);
    return element('p', {class: 'quiet'}, why);
  }
  const list = element('dl');
  /** @type {(mark: string, term: string, value: string) => void} */
  const pair = (mark, term, value) =>
    list.append(
      element('div', {}, element('dt', {}, several ? '' : key(mark), term), element('dd', {}, value)),
    );
  if (observed) pair('observed', 'Observed', count(observed.value, one.real));
  if (forecast) {
    pair('median', 'Median', count(forecast.median, one.real));
    for (const [index, level] of LEVELS.entries()) {
      pair(`level-${100 * level}`, `${100 * level} %`, range(forecast.intervals[index], one.real));
    }
  }
  return list;
}

/**
 * How the chart draws it.
 * @param {string} mark
 */
function key(mark) {
  return svg(
    'svg',
    {class: 'key', viewBox: '0 0 16 12', width: 16, height: 12, 'aria-hidden': 'true'},
    keyMark(mark),
  );
}

/** @param {string} mark */
function keyMark(mark) {
  if (mark === 'observed') return svg('circle', {class: 'observed series-0', cx: 8, cy: 6, r: 3});
  if (mark === 'median') return svg('path', {class: 'median series-0', d: 'M0 6H16'});
  return svg('rect', {class: `band series-0 ${mark}`, width: 16, height: 12});
}

/**
 * @param {string} title
 * @param {() => void} remove
 */
function removal(title, remove) {
  const button = element('button', {type: 'button', class: 'remove', 'aria-label': `Remove ${title}`}, '×');
  button.addEventListener('click', remove);
  return button;
}

/**
 * @param {NamedSeries[]} series
 * @param {PromiseSettledResult<Probability | null>[]} results for each; null where its forecast does not reach
 * @param {View['side']} side
 * @param {number} threshold
 */
export function answers(series, results, side, threshold) {
  const several = series.length > 1;
  return element(
    'ul',
    {},
    series.map((one, index) =>
      element(
        'li',
        {},
        several && element('p', {class: 'name'}, swatch(index), one.title),
        ...answer(one, results[index], index, several, passed(one, side, threshold)),
      ),
    ),
  );
}

/**
 * @param {Series} one
 * @param {PromiseSettledResult<Probability | null>} result
 * @param {number} index
 * @param {boolean} several
 * @param {string} passedWhen
 */
function answer(one, result, index, several, passedWhen) {
  /** @param {string} text */
  const quiet = (text) => element('p', {class: 'quiet'}, prose(text));
  if (result.status === 'rejected') return [quiet(result.reason.message)];
  if (!result.value) return [quiet(reach(one))];
  const {event, probability, draws, monte_carlo_error: error, caveat} = result.value;
  const settled = error === 0;
  const share = settled ? `${100 * probability} %` : percent(probability, draws);
  const why = settled ? passedWhen : `${count(draws)} draws; Monte Carlo error ${points(error)}.`;
  return [
    element('p', {class: 'chance'}, element('data', {value: probability}, share)),
    bar(probability, index),
    quiet(several ? why : `${capital(event)}. ${why}`),
    settled && caveat && quiet(caveat),
  ];
}

/**
 * When the observed running total passed the threshold, which settles the event.
 * @param {Series} one
 * @param {View['side']} side
 * @param {number} threshold
 */
function passed({observed, frequency}, side, threshold) {
  const index = observed.findIndex(
    ({value}) => value != null && (side === 'above' ? value > threshold : value >= threshold),
  );
  if (index < 0) return '';
  const verb = side === 'above' ? 'Passed' : 'Reached';
  return `${verb} ${index ? frequency.during : 'by'} ${longDate(observed[index].day)}.`;
}

/**
 * @param {number} probability
 * @param {number} index
 */
function bar(probability, index) {
  return svg(
    'svg',
    {
      class: `bar series-${index}`,
      viewBox: '0 0 100 6',
      preserveAspectRatio: 'none',
      'aria-hidden': 'true',
    },
    svg('rect', {class: 'track', width: 100, height: 6}),
    svg('rect', {class: 'share', width: 100 * probability, height: 6}),
  );
}
