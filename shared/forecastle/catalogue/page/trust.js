// What to know about a model before its forecasts are used: health, age, and how past ones did.

import {before} from './api.js';
import {element, svg} from './dom.js';
import {between, frequencyOf} from './frequency.js';
import {isChanging, stage, verdict} from './training.js';
import {ago, capital, DAY, longDate, prose, toDay} from './words.js';

/** @import {Child, Day, ModelEntry, Score, Scores} from './types.d.ts' */

const NEAR = 0.05; // a coverage as far as this from its level is called right

/**
 * What must not be overlooked.
 * @param {ModelEntry} entry
 * @param {string} [caveat] of its forecast
 */
export function notices(entry, caveat) {
  /** @param {string} text */
  const notice = (text) => element('p', {class: 'notice'}, text);
  return [
    entry.reference &&
      notice(`${entry.model} is a reference model: it is there for comparison, not for use.`),
    verdict(entry),
    entry.health === 'down' &&
      !entry.status &&
      notice(`${entry.model} does not answer at the moment. What is shown of it may be old.`),
    ...old(entry).map(notice),
    caveat && notice(`${entry.model}: ${prose(caveat)}`),
  ].filter((shown) => shown instanceof Node);
}

/**
 * What is counted and by whom.
 * @param {ModelEntry['data']} data
 */
export const counted = (data) => [data?.title, data?.source].filter(Boolean).join(', by ');

/**
 * That the data end long ago, if they do.
 * @param {ModelEntry} entry
 */
function old({model, data_through: iso, frequency}) {
  const {old: limit, period} = frequencyOf(frequency);
  const through = iso && toDay(iso);
  const words = through && ago(through);
  return through && Date.now() / DAY - through > limit
    ? [
        `The data of ${model} end on ${longDate(through)}, ${words}: its forecasts are of the ${period}s after that.`,
      ]
    : [];
}

/**
 * @param {ModelEntry} entry
 * @param {Day} newest the last date that any model of the same noun and frequency knows
 */
export function about(entry, newest) {
  const facts = element('dl', {class: 'facts'});
  /** @type {(name: string, content: Child) => void} */
  const fact = (name, content) => facts.append(element('dt', {}, name), element('dd', {}, content));
  const through = entry.data_through && toDay(entry.data_through);
  const frequency = frequencyOf(entry.frequency);
  const [kind, words] =
    entry.health === 'ready'
      ? ['ready', 'Answering']
      : isChanging(entry)
        ? ['soon', 'Not answering yet']
        : ['down', 'Down'];
  fact('Health', element('span', {class: `health ${kind}`}, words));
  if (entry.status) fact('Training', stage(entry));
  const {title, source, url, licence} = entry.data ?? {};
  if (title) fact('Data', title);
  if (source || url) fact('Source', url ? element('a', {href: url}, source ?? url) : String(source));
  if (licence) fact('Licence', licence);
  if (through) {
    fact('Data through', `${longDate(through)}, ${ago(through)}`);
    const behind = between(frequency, through, newest);
    if (behind > 0) fact('Behind', `${frequency.periods(behind)} behind the newest data here`);
  }
  if (entry.trained_at) fact('Trained', longDate(toDay(entry.trained_at)));
  if (entry.horizon) fact('Horizon', frequency.periods(entry.horizon));
  if (entry.series && entry.plural) fact(capital(entry.plural), String(entry.series));
  const {r_hat: rHat, divergences} = entry.diagnostics ?? {};
  if (rHat) fact('Convergence', convergence(rHat, divergences));
  if (entry.version) fact('Version', entry.version);
  /** @type {(href: string, text: string) => HTMLElement} */
  const link = (href, text) => element('a', {href}, text);
  const links = [
    (entry.horizon != null || entry.kind === 'plain') && link(`${before}/${entry.model}/card`, 'Model card'),
    entry.links.docs && link(entry.links.docs, 'Its API'),
  ];
  return element(
    'div',
    {class: 'about'},
    element('h3', {}, entry.title ?? entry.model),
    facts,
    element('p', {class: 'links'}, links),
  );
}

/**
 * The worst of all parameters and series.
 * @param {number} rHat
 * @param {number | null} [divergences]
 */
function convergence(rHat, divergences) {
  const counted = divergences === 1 ? '1 divergence' : `${divergences || 'no'} divergences`;
  return `R-hat ${rHat.toFixed(3)}, ${counted}`;
}

/**
 * How its forecasts compared with what was reported later: in the backtest, and in use.
 * @param {ModelEntry} entry
 * @param {Scores | null | undefined} inUse
 * @param {boolean} named whether the titles name the model
 */
export function past({model, backtest, frequency, real}, inUse, named) {
  /** @param {string} text */
  const title = (text) => (named ? `${text}, ${model}` : text);
  const values = real ? 'values' : 'counts';
  const parts = [];
  if (backtest) {
    const {origins} = backtest;
    const {period} = frequencyOf(frequency);
    const dates = origins.length === 1 ? `one past ${period}` : `${origins.length} past ${period}s`;
    parts.push(scored(title('Backtest'), `Forecasts made as of ${dates}`, backtest, values));
  }
  if (inUse?.scores && inUse.first_date && inUse.last_date) {
    const dates = [inUse.first_date, inUse.last_date].map((date) => longDate(toDay(date))).join(' to ');
    parts.push(scored(title('In use'), `Forecasts for ${dates}`, inUse.scores, values));
  }
  return parts;
}

/**
 * @param {string} title
 * @param {string} which forecasts were scored
 * @param {Score} score
 * @param {string} values what was forecast, in a word
 */
function scored(title, which, {wis_ratio: ratio, coverage}, values) {
  const comparison = ratio != null && [
    ` came ${ratio < 1 ? 'closer' : 'no closer'} than a naive forecast: their weighted interval score is `,
    element('strong', {}, ratio.toPrecision(2)),
    ' times that of the naive forecast (lower is better)',
  ];
  return element(
    'div',
    {},
    element('h3', {}, title),
    element('p', {class: 'quiet'}, which, comparison, '.'),
    coverageTable(coverage, values),
  );
}

/**
 * @param {Record<string, number>} coverage shares, by the level of the interval
 * @param {string} values
 */
function coverageTable(coverage, values) {
  /** @param {number} share */
  const percent = (share) => `${Math.round(100 * share)} %`;
  const rows = Object.entries(coverage)
    .map(([level, share]) => ({level: Number(level), share}))
    .sort((one, other) => one.level - other.level)
    .map(({level, share}) => {
      const off = share - level;
      const [kind, verdict] =
        Math.abs(off) <= NEAR
          ? ['right', 'right']
          : off < 0
            ? ['narrow', 'too narrow']
            : ['wide', 'too wide'];
      return element(
        'tr',
        {},
        element('th', {scope: 'row'}, percent(level)),
        element('td', {}, bar(share, level)),
        element('td', {}, percent(share)),
        element('td', {class: kind}, verdict),
      );
    });
  return element(
    'table',
    {class: 'coverage'},
    element('caption', {}, `The share of ${values} that lay in the intervals:`),
    element('tbody', {}, rows),
  );
}

/**
 * @param {number} share
 * @param {number} level
 */
function bar(share, level) {
  return svg(
    'svg',
    {class: 'bar', viewBox: '0 0 100 12', preserveAspectRatio: 'none', 'aria-hidden': 'true'},
    svg('rect', {class: 'track', width: 100, height: 12}),
    svg('rect', {class: 'share', width: 100 * share, height: 12}),
    svg('line', {class: 'level', x1: 100 * level, x2: 100 * level, y1: 0, y2: 12}),
  );
}
