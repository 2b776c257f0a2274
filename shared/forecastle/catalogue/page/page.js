// The page: what the address names is loaded, drawn, and asked for its probability.

import * as api from './api.js';
import {Chart, summary} from './chart.js';
import * as choices from './choices.js';
import {Combobox} from './combobox.js';
import {byId, element, present} from './dom.js';
import {png, save} from './download.js';
import {plain} from './plain.js';
import {answers, reach, readings} from './readings.js';
import {event, firstDay, forecastOf, lastDay, lastForecast, load, ownCounts, usualScale} from './series.js';
import {csv, table} from './table.js';
import {instead, isChanging, refresh} from './training.js';
import {about, notices, past} from './trust.js';
import {isCode, read, write} from './view.js';
import {capital, longDate, prose, toDay, toIso} from './words.js';

/** @import {CountryEntry, Counts, Day, ExcludedCountry, Member, MissingSeries} from './types.d.ts' */
/** @import {ModelEntry, NamedSeries, Scores, View} from './types.d.ts' */

const MOST_SERIES = 4; // as many as there are colours
const PICTURE = {width: 960, height: 500}; // pixels, of a downloaded one
const DEFAULT_DAYS = 14; // ahead, where no date is named
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
/** @type {Record<string, CountryEntry[]>} */
const countries = Object.create(null);
/** @type {Record<string, Scores | null>} */
const scores = Object.create(null);
/** @type {Record<string, ExcludedCountry[]>} */
const excluded = Object.create(null); // once somebody looks for a country
/** @type {NamedSeries[]} */
let series = []; // what is drawn, the chosen model and country first
/** @type {MissingSeries[]} */
let missing = [];
let loads = 0; // begun so far: what any but the last one brings is dropped
let asking = new AbortController();
let askTimer = 0;
let watchTimer = 0;
let ownChoice = false; // whether the page chose the model, rather than the address or somebody

const chart = new Chart(byId('chart', HTMLElement), {moved, hovered: showReadings});
const modelBox = new Combobox(byId('model', HTMLElement), chooseModel);
const countryBox = new Combobox(byId('country', HTMLElement), chooseCountry, {opens: offerExcluded});
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
    countries[view.model] ??= await api.countries(view.model);
    if (thisLoad !== loads) return;
    view.country ||= highestCount(countries[view.model]);
    offerChoices();
    const counts = view.counts ?? ownCounts(entry);
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
    view = read('');
    show();
    return;
  }
  /** @type {(entry?: ModelEntry) => string} */
  const answers = (entry) => `${entry?.health} ${entry?.version}`;
  const renewed = viewMembers()
    .map(({model}) => model)
    .filter((model) => answers(entryOf(model)) !== answers(before.find((entry) => entry.model === model)));
  if (renewed.length) {
    for (const model of renewed) for (const known of [countries, scores, excluded]) delete known[model];
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
 * The chosen one, then what it is compared with: countries of the same model, models for the same country.
 * @returns {Member[]}
 */
function viewMembers() {
  const {model, country: code} = view;
  const compared = view.with
    .slice(0, MOST_SERIES - 1)
    .map((member) => (isCode(member) ? {member, model, code: member} : {member, model: member, code}));
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
  const unit = entry.unit ?? 'nothing';
  if (unit !== chosen.unit) throw new api.Problem(422, `${model} counts ${unit}, not ${chosen.unit}.`);
  return {...(await load(entry, code, counts)), member};
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
  const known = [...(countries[view.model] ?? []), ...(excluded[view.model] ?? [])];
  return known.find((country) => country.code === code)?.name ?? code;
}

function defaultModel() {
  const useful = models.filter((entry) => entry.horizon);
  const ready = useful.filter((entry) => entry.health === 'ready');
  const soon = models.find(({status}) => status === 'training') ?? models.find(isChanging);
  return (ready.find((entry) => !entry.reference) ?? ready[0] ?? soon ?? useful[0] ?? models[0]).model;
}

/** @param {CountryEntry[]} known */
function highestCount(known) {
  /** @param {CountryEntry} country */
  const count = (country) => country.last_observation?.observed ?? 0;
  return known.toSorted((one, other) => count(other) - count(one))[0]?.code ?? '';
}

// --- choosing ---

/** @param {Partial<View>} changes */
function go(changes) {
  view = {...view, ...changes};
  history.pushState(null, '', write(view));
  show();
}

/** @param {string} model */
function chooseModel(model) {
  ownChoice = false;
  const unit = entryOf(model)?.unit;
  const others = view.with.filter((name) => isCode(name) || (name !== model && entryOf(name)?.unit === unit));
  go({model, with: others, counts: null, threshold: null, date: null});
}

/** @param {string} country */
function chooseCountry(country) {
  go({country, with: view.with.filter((name) => name !== country), threshold: null});
}

function offerChoices() {
  const known = countries[view.model] ?? [];
  const entry = entryOf(view.model);
  const others = choices.comparisons(models, known, entry, view);
  const full = view.with.length >= MOST_SERIES - 1;
  modelBox.setOptions(choices.models(models));
  modelBox.setValue(view.model, view.model);
  countryBox.setOptions(choices.countries(known, excluded[view.model]));
  countryBox.setValue(view.country, placeName(view.country));
  compareBox.setOptions(others);
  compareBox.input.disabled = full || !others.length;
  compareBox.input.placeholder = full ? `No more than ${MOST_SERIES}` : 'Another country or model';
}

// Also those that have no forecast: whoever looks for one learns why.
async function offerExcluded() {
  const {model} = view;
  if (excluded[model] || !countries[model]) return;
  excluded[model] = [];
  excluded[model] = await api.excluded(model).catch(() => []);
  offerChoices();
}

// --- showing ---

const chosenDay = () =>
  view.date ? toDay(view.date) : Math.min(firstDay(series[0]) + DEFAULT_DAYS - 1, lastDay(series[0]));

function chosenThreshold() {
  if (view.threshold != null) return view.threshold;
  const {median} = forecastOf(series[0], chosenDay()) ?? lastForecast(series[0]);
  return Math.round(Number(median.toPrecision(2)));
}

function draw() {
  const [{counts, unit, origin, dataThrough}] = series;
  const places = new Set(series.map(({name}) => name));
  const names = [...new Set(series.map(({model}) => model))];
  title.textContent = [counts === 'daily' ? `Daily ${unit}` : `Cumulative ${unit}`, ...places].join(', ');
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
  const scale = view.scale ?? usualScale(series);
  /** @type {Record<string, string>} */
  const chosen = {counts: series[0].counts, scale, past: view.past};
  for (const radio of options.querySelectorAll('input')) radio.checked = radio.value === chosen[radio.name];
  chart.draw({
    series,
    day,
    threshold: chosenThreshold(),
    scale,
    past: view.past,
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

function drawModels() {
  const newest = Math.max(
    ...models.flatMap((entry) => (entry.data_through ? toDay(entry.data_through) : [])),
  );
  const caveats = new Map(series.map(({model, caveat}) => [model, caveat]));
  const names = [...new Set(viewMembers().map(({model}) => model))];
  const entries = names.map(entryOf).filter((entry) => entry != null);
  const several = entries.length > 1;
  byId('notices', HTMLElement).replaceChildren(
    ...entries.flatMap((entry) => notices(entry, caveats.get(entry.model))),
  );
  byId('about-title', HTMLElement).textContent = several ? 'The models' : 'The model';
  byId('about', HTMLElement).replaceChildren(...entries.map((entry) => about(entry, newest)));
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
  showNothing(placeName(view.country) || 'Forecast', [
    element('p', {}, prose(message)),
    element(
      'p',
      {class: 'buttons'},
      nearMatches.map(({code, name}) => button(name, () => chooseCountry(code))),
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
  byId('reading-date', HTMLElement).textContent = longDate(day);
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
  if (done) history.replaceState(null, '', write(view));
}

function fillQuestion() {
  const [one] = series;
  const [threshold, date] = [chosenThreshold(), toIso(chosenDay())];
  sideField.value = view.side;
  if (thresholdField.valueAsNumber !== threshold) thresholdField.value = String(threshold);
  [dateField.min, dateField.max] = [toIso(firstDay(one)), toIso(lastDay(one))];
  if (dateField.value !== date) dateField.value = date;
  byId('what', HTMLElement).textContent =
    one.counts === 'daily' ? `${one.unit} on` : `${one.unit} in total by the end of`;
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
      forecastOf(one, day)
        ? api.probability(one.model, one.code, event(one, side, threshold, day), signal)
        : null,
    ),
  );
  if (!signal.aborted) showAnswers(answers(asked, results, side, threshold));
}

/** @param {Node | string} content */
function showAnswers(content) {
  answersBox.replaceChildren(content);
  answersBox.removeAttribute('aria-busy');
}

// --- listening ---

for (const radio of options.querySelectorAll('input')) {
  radio.addEventListener('change', () => {
    const {name, value} = radio;
    if (name === 'counts') {
      const counts = value === 'daily' ? 'daily' : 'cumulative';
      go({counts: counts === series[0].own ? null : counts, threshold: null});
    } else {
      view = {...view, [name]: value};
      history.pushState(null, '', write(view));
      drawChart();
    }
  });
}

question.addEventListener('submit', (event) => event.preventDefault());
question.addEventListener('input', () => {
  const threshold = thresholdField.valueAsNumber;
  const wrong = [
    !thresholdField.validity.valid && 'The threshold must be a number, 0 or more.',
    !dateField.value && 'The date is missing.',
    !dateField.validity.valid && reach(series[0]),
  ].filter(Boolean);
  if (wrong.length) return refuse(wrong.join(' '));
  adjust({side: sideField.value === 'below' ? 'below' : 'above'});
  if (threshold !== chosenThreshold()) adjust({threshold});
  if (dateField.value !== toIso(chosenDay())) adjust({date: dateField.value});
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
  history.replaceState(null, '', write({...view, threshold: chosenThreshold(), date: toIso(chosenDay())}));
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
