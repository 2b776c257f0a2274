// The page: what the address names is loaded, drawn, and asked for its probability.

import * as api from './api.js';
import {Chart, summary} from './chart.js';
import * as choices from './choices.js';
import {Combobox} from './combobox.js';
import {byId, element, present} from './dom.js';
import {png, save} from './download.js';
import {BY_WEEK, frequencyOf, WEEK, weekEnd} from './frequency.js';
import {plain} from './plain.js';
import {answers, reach, readings} from './readings.js';
import {
  allCounts,
  event,
  firstDay,
  firstNamed,
  forecastOf,
  hasLog,
  hasWeeks,
  lastDay,
  least,
  load,
  namedDay,
  ownCounts,
  usualDay,
  usualScale,
  usualThreshold,
} from './series.js';
import {csv, table} from './table.js';
import {instead, isChanging, refresh} from './training.js';
import {about, notices, past} from './trust.js';
import {codeOf, read, write} from './view.js';
import {capital, longDate, prose, toDay, toIso} from './words.js';

/** @import {Counts, Day, ExcludedPlace, Member, MissingSeries, ModelEntry} from './types.d.ts' */
/** @import {NamedSeries, PlaceEntry, Scores, View} from './types.d.ts' */

const MOST_SERIES = 4; // as many as there are colours
const PICTURE = {width: 960, height: 500}; // pixels, of a downloaded one
const WATCH = 2000; // milliseconds between two looks at models that are trained

const main = byId('main', HTMLElement);
const title = byId('title', HTMLElement);
const source = byId('source', HTMLElement);
const problemBox = byId('problem', HTMLElement);
const options = byId('options', HTMLFormElement);
const question = byId('question', HTMLFormElement);
const sideField = byId('side', HTMLSelectElement);
const thresholdField = byId('threshold', HTMLInputElement);
const dateField = byId('date', HTMLInputElement);
const answersBox = byId('answers', HTMLElement);
const tableBox = byId('table', HTMLDetailsElement);
const copyStatus = byId('done', HTMLElement);

let view = read(location.search);
/** @type {ModelEntry[]} */
let models = [];
// Of each model; without a prototype, since the address may name a model `constructor`.
/** @type {Record<string, PlaceEntry[]>} */
const places = Object.create(null);
/** @type {Record<string, Scores | null>} */
const scores = Object.create(null);
/** @type {Record<string, ExcludedPlace[]>} */
const excluded = Object.create(null); // once somebody looks for a series
/** @type {NamedSeries[]} */
let series = []; // what is drawn, the chosen one first
/** @type {MissingSeries[]} */
let missing = [];
let loads = 0; // begun so far: what any but the last one brings is dropped
let asking = new AbortController();
let askTimer = 0;
let watchTimer = 0;
let ownChoice = false; // whether the page chose the model, rather than the address or somebody

const chart = new Chart(byId('chart', HTMLElement), {moved, hovered: showReadings});
const modelBox = new Combobox(byId('model', HTMLElement), chooseModel);
const seriesBox = new Combobox(byId('series', HTMLElement), chooseSeries, {opens: offerExcluded});
const compareBox = new Combobox(byId('compare', HTMLElement), (name) => go({with: [...view.with, name]}), {
  clears: true,
});

/** @param {string} model */
const entryOf = (model) => models.find((entry) => entry.model === model);

// From the address to the picture.
async function show() {
  loads += 1;
  const thisLoad = loads;
  main.setAttribute('aria-busy', 'true');
  try {
    if (!models.length) models = await api.models();
    if (!models.length) throw new api.Problem(404, 'No model is served here yet.');
    if (!view.model) {
      view.model = defaultModel();
      ownChoice = true;
    }
    const entry = entryOf(view.model);
    offerChoices();
    if (!entry) throw new api.Problem(404, `There is no model ${view.model} here: choose one above.`);
    if (entry.status && entry.health === 'down') return showUnready(entry);
    if (entry.kind === 'plain') {
      const routes = await plain(entry);
      if (thisLoad === loads) showPlain(entry, routes);
      return;
    }
    if (!entry.horizon && entry.health === 'ready') {
      throw new api.Problem(404, `${view.model} has no forecasts that this page can show: see its API.`);
    }
    places[view.model] ??= await api.places(entry);
    if (thisLoad !== loads) return;
    view.code ||= highest(places[view.model]);
    view = {...view, ...fitting(entry)};
    offerChoices();
    const counts = view.period ? 'weekly' : (view.counts ?? ownCounts(entry));
    const members = viewMembers();
    const results = await Promise.allSettled(members.map((member) => loadMember(member, entry, counts)));
    if (thisLoad !== loads) return;
    if (results[0].status === 'rejected') throw results[0].reason;
    const unnamed = {title: '', label: ''};
    series = results.flatMap((result) =>
      result.status === 'fulfilled' ? {...result.value, ...unnamed} : [],
    );
    missing = results.flatMap((result, index) =>
      result.status === 'rejected' ? {...members[index], ...unnamed, problem: result.reason} : [],
    );
    nameSeries();
    draw();
    loadScores(thisLoad);
  } catch (error) {
    if (thisLoad === loads) showProblem(error);
  } finally {
    if (thisLoad === loads) {
      main.removeAttribute('aria-busy');
      watch();
    }
  }
}

/**
 * Of what the address asks for, that which this model has; the page chooses the rest.
 * @param {ModelEntry} entry
 * @returns {Partial<View>}
 */
function fitting(entry) {
  const period = hasWeeks(entry) ? view.period : null;
  const counts = (!period && allCounts(entry).find((known) => known === view.counts)) || null;
  const [, ...pasts] = (period ? BY_WEEK : frequencyOf(entry.frequency)).pasts.map(({value}) => value);
  const past = ['all', ...pasts].find((known) => known === view.past) ?? null;
  const low = view.threshold != null && view.threshold < (least(entry, period) ?? -Infinity);
  return {counts, period, past, threshold: low ? null : view.threshold};
}

// While models are trained: what each comes to is shown without a reload.
function watch() {
  clearTimeout(watchTimer);
  if (models.some(isChanging)) watchTimer = setTimeout(look, WATCH);
}

// Whether somebody tries the routes of a model that forecasts nothing.
const inRoutes = () => byId('routes', HTMLElement).contains(document.activeElement);

async function look() {
  const [before, thisLoad] = [models, loads];
  const now = await api.models().catch(() => before);
  if (thisLoad !== loads) return;
  models = now;
  if (ownChoice && !entryOf(view.model)?.horizon && !inRoutes() && defaultModel() !== view.model) {
    view = {...view, model: ''};
    show();
    return;
  }
  /** @type {(entry?: ModelEntry) => string} */
  const answers = (entry) => `${entry?.health} ${entry?.version}`;
  const renewed = viewMembers()
    .map(({model}) => model)
    .filter((model) => answers(entryOf(model)) !== answers(before.find((entry) => entry.model === model)));
  if (renewed.length) {
    for (const model of renewed) for (const known of [places, scores, excluded]) delete known[model];
    show();
    return;
  }
  if (models.some((entry, index) => entry.status !== before[index]?.status)) {
    offerChoices();
    const entry = entryOf(view.model);
    if (entry?.status && entry.health === 'down') showUnready(entry);
    else drawModels();
  }
  refresh(models);
  watch();
}

/**
 * Later, since nothing waits for them.
 * @param {number} thisLoad
 */
async function loadScores(thisLoad) {
  const names = new Set(viewMembers().map(({model}) => model));
  await Promise.all(
    [...names].map(async (model) => {
      scores[model] ??= await api.scores(model);
    }),
  );
  if (thisLoad === loads) drawModels();
}

/**
 * The chosen one, then what it is compared with: series of the same model, models of the same series.
 * @returns {Member[]}
 */
function viewMembers() {
  const {model, code} = view;
  const compared = view.with.slice(0, MOST_SERIES - 1).map((member) => {
    const other = codeOf(member);
    return other == null ? {member, model: member, code} : {member, model, code: other};
  });
  return [{model, code}, ...compared];
}

/**
 * @param {Member} member
 * @param {ModelEntry} chosen
 * @param {Counts} counts
 */
async function loadMember({member, model, code}, chosen, counts) {
  const entry = entryOf(model);
  if (!entry) throw new api.Problem(404, `There is no model ${model} here.`);
  const why = choices.difference(entry, chosen);
  if (why) throw new api.Problem(422, why);
  return {...(await load(entry, code, counts, view.period)), member};
}

// By what they differ in.
function nameSeries() {
  const all = [...series, ...missing];
  const severalPlaces = new Set(all.map(({code}) => code)).size > 1;
  const severalModels = new Set(all.map(({model}) => model)).size > 1;
  for (const one of all) {
    const place = placeName(one.code);
    one.title = [severalPlaces && place, severalModels && one.model].filter(Boolean).join(', ') || place;
    one.label = [severalPlaces && one.code, severalModels && one.model].filter(Boolean).join(' ');
  }
}

/** @param {string} code */
function placeName(code) {
  const known = [...(places[view.model] ?? []), ...(excluded[view.model] ?? [])];
  return known.find((place) => place.code === code)?.name ?? code;
}

function defaultModel() {
  const useful = models.filter((entry) => entry.horizon);
  const ready = useful.filter((entry) => entry.health === 'ready');
  const soon = models.find(({status}) => status === 'training') ?? models.find(isChanging);
  return (ready.find((entry) => !entry.reference) ?? ready[0] ?? soon ?? useful[0] ?? models[0]).model;
}

/** @param {PlaceEntry[]} known */
function highest(known) {
  /** @param {PlaceEntry} place */
  const last = (place) => place.last_observation?.observed ?? -Number.MAX_VALUE;
  return known.toSorted((one, other) => last(other) - last(one))[0]?.code ?? '';
}

// --- choosing ---

const address = (shown = view) => write(shown, entryOf(shown.model)?.noun);

/** @param {Partial<View>} changes */
function go(changes) {
  view = {...view, ...changes};
  history.pushState(null, '', address());
  show();
}

/** @param {string} model */
function chooseModel(model) {
  ownChoice = false;
  const [before, entry] = [entryOf(view.model), entryOf(model)];
  const sameNoun = before?.noun === entry?.noun;
  const others = view.with.filter((name) => {
    if (codeOf(name) != null) return sameNoun;
    const other = entryOf(name);
    return name !== model && entry && other && !choices.difference(other, entry);
  });
  const code = sameNoun ? view.code : '';
  go({model, code, with: others, counts: null, threshold: null, date: null});
}

/** @param {string} code */
function chooseSeries(code) {
  go({code, with: view.with.filter((name) => codeOf(name) !== code), threshold: null});
}

function offerChoices() {
  const known = places[view.model] ?? [];
  const entry = entryOf(view.model);
  const others = choices.comparisons(models, known, entry, view);
  const full = view.with.length >= MOST_SERIES - 1;
  const [noun, plural] = [entry?.noun ?? 'series', entry?.plural ?? 'series'];
  byId('series-label', HTMLElement).textContent = capital(noun);
  seriesBox.list.setAttribute('aria-label', capital(plural));
  compareBox.list.setAttribute('aria-label', `${capital(plural)} and models`);
  modelBox.setOptions(choices.models(models));
  modelBox.setValue(view.model, view.model);
  seriesBox.setOptions(choices.places(entry?.noun, known, excluded[view.model]));
  seriesBox.setValue(view.code, placeName(view.code));
  compareBox.setOptions(others);
  compareBox.input.disabled = full || !others.length;
  compareBox.input.placeholder = full ? `No more than ${MOST_SERIES}` : `Another ${noun} or model`;
}

// Also those that have no forecast: whoever looks for one learns why.
async function offerExcluded() {
  const {model} = view;
  if (excluded[model] || !places[model]) return;
  excluded[model] = [];
  excluded[model] = await api.excluded(model).catch(() => []);
  offerChoices();
}

// --- showing ---

function chosenDay() {
  const [one] = series;
  if (!view.date) return usualDay(one);
  const day = toDay(view.date);
  return one.period ? weekEnd(day) : day;
}
const chosenThreshold = () => view.threshold ?? usualThreshold(series[0], chosenDay());

function draw() {
  const [{what, origin, dataThrough}] = series;
  const shown = new Set(series.map(({name}) => name));
  const names = [...new Set(series.map(({model}) => model))];
  title.textContent = [capital(what), ...shown].join(', ');
  const fitted = origin === dataThrough ? '' : `, fitted through ${longDate(origin)}`;
  const of = `Model${names.length > 1 ? 's' : ''} ${names.join(', ')}; data through ${longDate(dataThrough)}${fitted}`;
  source.textContent = [...new Set(series.map(({data}) => data)), of].filter(Boolean).join('. ');
  document.title = `${title.textContent} · Forecastle`;
  showForecastParts(true);
  drawChart();
  drawModels();
  if (tableBox.open) drawTable();
}

/**
 * Otherwise the problem stands in their place.
 * @param {boolean} shown
 */
function showForecastParts(shown) {
  for (const part of document.querySelectorAll('.of-forecast')) part.toggleAttribute('hidden', !shown);
  problemBox.hidden = shown;
  byId('chart', HTMLElement).hidden = false;
  byId('routes', HTMLElement).replaceChildren();
}

function drawChart() {
  const day = chosenDay();
  const scale = (series.every(hasLog) && view.scale) || usualScale(series);
  const {pasts} = series[0].frequency;
  const past = pasts.find(({value}) => value === view.past) ?? pasts[0];
  const all = view.past === 'all';
  offerOptions();
  /** @type {Record<string, string>} */
  const chosen = {
    counts: series[0].counts,
    period: series[0].period ?? 'day',
    scale,
    past: all ? 'all' : past.value,
  };
  for (const radio of options.querySelectorAll('input')) radio.checked = radio.value === chosen[radio.name];
  chart.draw({
    series,
    day,
    threshold: chosenThreshold(),
    scale,
    past: all ? 'all' : past.periods,
    summary: summary(series, day),
  });
  byId('shaded', HTMLElement).textContent = [
    series.length > 1 && `${capital(chart.shaded())}.`,
    scale !== (view.scale ?? 'linear') && 'Log scale, since the forecasts differ more than tenfold.',
  ]
    .filter(Boolean)
    .join(' ');
  fillQuestion();
  showReadings(null);
  askSoon();
}

// Such as there are for what is shown.
function offerOptions() {
  const [{frequency, real, period}] = series;
  const entry = entryOf(series[0].model);
  /** @type {(name: string, choices: {value: string, text: string}[]) => void} */
  const offer = (name, choices) => {
    const radios = [...options.querySelectorAll('input')].filter((radio) => radio.name === name);
    for (const [index, {value, text}] of choices.entries()) {
      radios[index].value = value;
      present(radios[index].nextElementSibling).textContent = text;
    }
  };
  offer('counts', [{value: frequency.adjective, text: capital(frequency.adjective)}]);
  offer('past', frequency.pasts);
  byId('periods', HTMLElement).hidden = !entry || !hasWeeks(entry);
  byId('counts', HTMLElement).hidden = real || period != null; // a sum by week is no running total
  byId('scales', HTMLElement).hidden = !series.every(hasLog);
}

/**
 * The last date that any model knows which forecasts the like.
 * @param {ModelEntry} entry
 */
function newest(entry) {
  const alike = models.filter(({noun, frequency}) => noun === entry.noun && frequency === entry.frequency);
  return Math.max(...alike.flatMap(({data_through: date}) => (date ? toDay(date) : [])));
}

function drawModels() {
  const caveats = new Map(series.map(({model, caveat}) => [model, caveat]));
  const names = [...new Set(viewMembers().map(({model}) => model))];
  const entries = names.map(entryOf).filter((entry) => entry != null);
  const several = entries.length > 1;
  byId('notices', HTMLElement).replaceChildren(
    ...entries.flatMap((entry) => notices(entry, caveats.get(entry.model))),
  );
  byId('about-title', HTMLElement).textContent = several ? 'The models' : 'The model';
  byId('about', HTMLElement).replaceChildren(...entries.map((entry) => about(entry, newest(entry))));
  const parts = entries.flatMap((entry) => past(entry, scores[entry.model], several));
  byId('scores', HTMLElement).replaceChildren(...parts);
  byId('past', HTMLElement).hidden = !parts.length;
}

function drawTable() {
  present(tableBox.querySelector('.scroll')).replaceChildren(...series.map(table));
}

/**
 * A model without a forecast: what it is, and its routes.
 * @param {ModelEntry} entry
 * @param {HTMLElement[]} routes
 */
function showPlain(entry, routes) {
  series = [];
  missing = [];
  refuse('');
  chart.clear();
  showForecastParts(false);
  title.textContent = entry.title ?? entry.model;
  source.textContent = `Model ${entry.model}`;
  document.title = `${title.textContent} · Forecastle`;
  byId('chart', HTMLElement).hidden = true;
  drawModels();
  byId('routes', HTMLElement).replaceChildren(...routes);
}

/**
 * A model that does not answer yet.
 * @param {ModelEntry} entry
 */
function showUnready(entry) {
  showNothing(entry.title ?? entry.model, instead(entry));
}

/** @param {unknown} error */
function showProblem(error) {
  if (!(error instanceof api.Problem)) console.error(error); // a fault of the page itself
  const {status, message, nearMatches} =
    error instanceof api.Problem ? error : new api.Problem(0, `This page failed: ${error}`);
  const passing = !(status >= 400 && status < 500); // not the address's fault
  showNothing(placeName(view.code) || 'Forecast', [
    element('p', {}, prose(message)),
    element(
      'p',
      {class: 'buttons'},
      nearMatches.map(({code, name}) => button(name, () => chooseSeries(code))),
      passing && button('Try again', again),
    ),
  ]);
}

/**
 * @param {string} name
 * @param {(Node | false)[]} content in the place of a forecast
 */
function showNothing(name, content) {
  series = [];
  refuse('');
  chart.clear();
  showForecastParts(false);
  title.textContent = name;
  document.title = `${name} · Forecastle`;
  source.textContent = view.model ? `Model ${view.model}` : '';
  problemBox.replaceChildren(...content.filter((part) => part instanceof Node));
  drawModels();
}

function again() {
  models = [];
  show();
}

/**
 * @param {string} text
 * @param {() => void} press
 */
function button(text, press) {
  const made = element('button', {type: 'button'}, text);
  made.addEventListener('click', press);
  return made;
}

/**
 * The values of the day under the pointer, or of the chosen one.
 * @param {Day | null} pointed
 */
function showReadings(pointed) {
  const day = pointed ?? chosenDay();
  byId('reading-date', HTMLElement).textContent = `${series[0].period ? 'Week to ' : ''}${longDate(day)}`;
  /** @param {string} name */
  const remove = (name) => go({with: view.with.filter((other) => other !== name)});
  byId('readings', HTMLElement).replaceChildren(...readings(series, missing, day, remove));
}

// --- asking ---

/** @type {(line: 'threshold' | 'day', value: number, done: boolean) => void} */
function moved(line, value, done) {
  adjust(line === 'day' ? {date: toIso(value)} : {threshold: value}, done);
  fillQuestion();
  showReadings(null);
  askSoon();
}

/**
 * Small steps change the address, but add nothing to go back to.
 * @param {Partial<View>} changes
 */
function adjust(changes, done = true) {
  view = {...view, ...changes};
  if (done) history.replaceState(null, '', address());
}

function fillQuestion() {
  const [one] = series;
  const [threshold, date] = [chosenThreshold(), toIso(chosenDay())];
  sideField.value = view.side;
  if (thresholdField.valueAsNumber !== threshold) thresholdField.value = String(threshold);
  [dateField.min, dateField.max] = [toIso(firstNamed(one)), toIso(lastDay(one))];
  if (dateField.value !== date) dateField.value = date;
  const {during, through} = one.frequency;
  const when = one.counts === 'cumulative' ? `in total ${through}` : during;
  byId('what', HTMLElement).textContent = `${one.unit} ${when}`;
  thresholdField.min = String(one.minimum ?? '');
  byId('fewer', HTMLElement).textContent = one.real ? 'Less than' : 'Fewer than';
}

function askSoon() {
  answersBox.setAttribute('aria-busy', 'true'); // nothing is read out before it is settled
  clearTimeout(askTimer);
  askTimer = setTimeout(ask, 50);
}

/**
 * What was asked before has no answer here.
 * @param {string} why
 */
function refuse(why) {
  clearTimeout(askTimer);
  asking.abort();
  showAnswers(element('p', {class: 'quiet'}, why));
}

async function ask() {
  asking.abort();
  asking = new AbortController();
  const {signal} = asking;
  const [asked, day, side, threshold] = [series, chosenDay(), view.side, chosenThreshold()];
  const results = await Promise.allSettled(
    asked.map((one) =>
      forecastOf(one, day) ? api.probability(one, one.code, event(one, side, threshold, day), signal) : null,
    ),
  );
  if (!signal.aborted) showAnswers(answers(asked, results, side, threshold));
}

/** @param {Node | string} content */
function showAnswers(content) {
  answersBox.replaceChildren(content);
  answersBox.removeAttribute('aria-busy');
}

/**
 * The chosen date, if it may be asked about in another period: in days always, in weeks if it lies in a whole one.
 * @param {string} period
 */
function dateIn(period) {
  if (!view.date || period !== 'week') return view.date;
  const end = weekEnd(toDay(view.date));
  return end - WEEK + 1 >= firstDay(series[0]) && end <= lastDay(series[0]) ? view.date : null;
}

// --- listening ---

for (const radio of options.querySelectorAll('input')) {
  radio.addEventListener('change', () => {
    const {name, value} = radio;
    if (name === 'counts') {
      const [{own, frequency}] = series;
      const counts = value === 'cumulative' ? value : frequency.adjective;
      go({counts: counts === own ? null : counts, threshold: null});
    } else if (name === 'period') {
      go({period: value === 'week' ? value : null, counts: null, threshold: null, date: dateIn(value)});
    } else {
      const usual = name === 'past' && value === series[0].frequency.pasts[0].value;
      view = {...view, [name]: usual ? null : value};
      history.pushState(null, '', address());
      drawChart();
    }
  });
}

question.addEventListener('submit', (event) => event.preventDefault());
question.addEventListener('input', () => {
  const threshold = thresholdField.valueAsNumber;
  const {minimum} = series[0];
  const least = minimum == null ? '' : `, ${minimum} or more`;
  const wrong = [
    !thresholdField.validity.valid && `The threshold must be a number${least}.`,
    !dateField.value && 'The date is missing.',
    !dateField.validity.valid && reach(series[0]),
  ].filter(Boolean);
  if (wrong.length) return refuse(wrong.join(' '));
  adjust({side: sideField.value === 'below' ? 'below' : 'above'});
  if (threshold !== chosenThreshold()) adjust({threshold});
  const date = toIso(namedDay(series[0], toDay(dateField.value)));
  if (date !== toIso(chosenDay())) adjust({date});
  drawChart();
});

tableBox.addEventListener('toggle', () => tableBox.open && drawTable());

const fileName = () =>
  [
    ...new Set(series.flatMap(({model, code}) => [model, code])),
    series[0].counts,
    toIso(series[0].dataThrough),
  ].join('-');

byId('csv', HTMLElement).addEventListener('click', () =>
  save(`${fileName()}.csv`, new Blob([csv(series)], {type: 'text/csv'})),
);
byId('png', HTMLElement).addEventListener('click', async () => {
  chart.draw(chart.shown, PICTURE.width, PICTURE.height);
  const picture = png(chart.svg, title.textContent, `${source.textContent}; ${chart.shaded()}`);
  chart.draw(chart.shown);
  save(`${fileName()}.png`, await picture);
});
byId('share', HTMLElement).addEventListener('click', async () => {
  history.replaceState(null, '', address({...view, threshold: chosenThreshold(), date: toIso(chosenDay())}));
  const copied = await navigator.clipboard?.writeText(location.href).then(
    () => true,
    () => false,
  );
  copyStatus.textContent = copied ? 'Copied.' : 'Copy the address of this page: it holds all that is shown.';
  setTimeout(() => copyStatus.replaceChildren(), 5000);
});

window.addEventListener('popstate', () => {
  ownChoice = false;
  view = read(location.search);
  show();
});

show();
