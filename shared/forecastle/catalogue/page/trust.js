// What there is to know of a model before its forecasts are used: health, age, and how past ones did.

import {element, svg} from './dom.js';
import {ago, longDate, toDay} from './words.js';

const NEAR = 0.05; // a coverage as far as this from its level is called right

// What must not be overlooked. `entry` is the model's in GET /models, here and below; `caveat` is its forecast's.
export function notices(entry, caveat) {
  const notice = (text) => element('p', {class: 'notice'}, text);
  return [
    entry.reference &&
      notice(`${entry.model} is a reference model: it is there to be compared with, and not for use.`),
    entry.health === 'down' &&
      notice(`${entry.model} does not answer at the moment. What is shown of it may be old.`),
    caveat && notice(`${entry.model}: ${caveat}`),
  ].filter(Boolean);
}

// `newest` is the last day that any model knows.
export function about(entry, newest) {
  const facts = element('dl', {class: 'facts'});
  const fact = (name, ...told) => facts.append(element('dt', {}, name), element('dd', {}, ...told));
  const through = entry.data_through && toDay(entry.data_through);
  fact(
    'Health',
    element('span', {class: `health ${entry.health}`}, entry.health === 'ready' ? 'Answering' : 'Down'),
  );
  if (through) fact('Data through', `${longDate(through)}, ${ago(through)}`);
  if (through < newest) fact('Behind', `${newest - through} days behind the newest data here`);
  if (entry.trained_at) fact('Trained', longDate(toDay(entry.trained_at)));
  if (entry.horizon) fact('Reaches', `${entry.horizon} days ahead`);
  if (entry.countries) fact('Countries', entry.countries);
  if (entry.diagnostics?.r_hat) fact('Convergence', convergence(entry.diagnostics));
  if (entry.version) fact('Version', entry.version);
  const link = (href, text) => element('a', {href}, text);
  const links = [
    entry.horizon && link(`/${entry.model}/card`, 'Model card'),
    link(entry.links.docs, 'Its API'),
  ];
  return element(
    'div',
    {class: 'about'},
    element('h3', {}, entry.title ?? entry.model),
    facts,
    element('p', {class: 'links'}, links),
  );
}

// The worst of all parameters and countries.
function convergence({r_hat: rHat, divergences}) {
  const many = divergences === 1 ? '1 divergence' : `${divergences || 'no'} divergences`;
  return `R-hat ${rHat.toFixed(3)}, ${many}`;
}

// How its forecasts compared with what came: in the backtest, and in use. `live` is what GET /models/{model}/scores
// has, or null; `named` says whose they are.
export function past({model, backtest}, live, named) {
  const title = (text) => (named ? `${text}, ${model}` : text);
  const parts = [];
  if (backtest) {
    const {origins} = backtest;
    const which = origins.length === 1 ? 'one past day' : `${origins.length} past days`;
    parts.push(scored(title('Backtest'), `Forecasts made as of ${which}`, backtest));
  }
  if (live?.scores) {
    const days = [live.first_date, live.last_date].map((date) => longDate(toDay(date))).join(' to ');
    parts.push(scored(title('In use'), `Forecasts for ${days}`, live.scores));
  }
  return parts;
}

function scored(title, which, {wis_ratio: ratio, coverage}) {
  const told = [
    `${which} came ${ratio < 1 ? 'closer' : 'no closer'} than a naive forecast: their weighted interval score is `,
    element('strong', {}, ratio?.toPrecision(2)),
    ' of its, and less is better.',
  ];
  return element(
    'div',
    {},
    element('h3', {}, title),
    element('p', {class: 'quiet'}, ratio == null ? `${which}.` : told),
    coverageTable(coverage),
  );
}

// {level: share}
function coverageTable(coverage) {
  const percent = (share) => `${Math.round(100 * share)} %`;
  const rows = Object.entries(coverage)
    .map(([level, share]) => [Number(level), share])
    .sort(([one], [other]) => one - other)
    .map(([level, share]) => {
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
    element('caption', {}, 'The share of counts that lay in the intervals:'),
    element('tbody', {}, rows),
  );
}

function bar(share, level) {
  return svg(
    'svg',
    {class: 'bar', viewBox: '0 0 100 12', preserveAspectRatio: 'none', 'aria-hidden': 'true'},
    svg('rect', {class: 'track', width: 100, height: 12}),
    svg('rect', {class: 'share', width: 100 * share, height: 12}),
    svg('line', {class: 'level', x1: 100 * level, x2: 100 * level, y1: 0, y2: 12}),
  );
}
