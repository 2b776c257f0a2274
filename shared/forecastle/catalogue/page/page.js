// The page: what the address names is loaded, drawn, and asked for its probability.

import * as api from './api.js';
import {Chart, summary} from './chart.js';
import * as choices from './choices.js';
import {Combobox} from './combobox.js';
import {byId, element} from './dom.js';
import {png, save} from './download.js';
import {answers, readings} from './readings.js';
import {event, firstDay, forecastOf, lastDay, load, ownCounts} from './series.js';
import {csv, table} from './table.js';
import {about, notices, past} from './trust.js';
import {isCode, read, write} from './view.js';
import {longDate, toDay, toIso, weekdayDate} from './words.js';

const MOST_SERIES = 4; // as many as there are colours
const PICTURE = [960, 500]; // pixels, of a downloaded one: width and height
const USUAL_DAYS = 14; // ahead, where no date is named

let view = read(location.search);
let models = []; // of GET /models
const countries = {}; // of each model
const live = {}; // scores of each model
const excluded = {}; // of each model, once somebody looks for a country
let series = []; // what is drawn, the chosen model and country first
let missing = []; // what was to be compared and cannot be
let turn = 0; // of loading: what an older one still brings is dropped
let asking = new AbortController();
let askSoon;

const chart = new Chart(byId('chart'), {moved, hovered: tell});
const modelBox = new Combobox(byId('model'), chooseModel);
const countryBox = new Combobox(byId('country'), chooseCountry, {opens: offerExcluded});
const compareBox = new Combobox(byId('compare'), (name) => go({with: [...view.with, name]}), {clears: true});

const entryOf = (model) => models.find((entry) => entry.model === model);

// From the address to the picture.
async function show() {
  const mine = (turn += 1);
  byId('main').setAttribute('aria-busy', 'true');
  try {
    if (!models.length) models = await api.models();
    if (!models.length) throw new api.Problem(404, 'No model is served here yet.');
    view.model ??= usualModel();
    const entry = entryOf(view.model);
    offer();
    if (!entry) throw new api.Problem(404, `There is no model ${view.model} here: choose one above.`);
    if (!entry.horizon && entry.health === 'ready') {
      throw new api.Problem(404, `${view.model} has no forecasts that this page could show: see its API.`);
    }
    countries[view.model] ??= await api.countries(view.model);
    if (mine !== turn) return;
    view.country ??= busiest(countries[view.model]);
    offer();
    const counts = view.counts ?? ownCounts(entry);
    const loaded = await Promise.allSettled(members().map((member) => loadMember(member, entry, counts)));
    if (mine !== turn) return;
    if (loaded[0].status === 'rejected') throw loaded[0].reason;
    series = loaded.flatMap(({value}) => value ?? []);
    missing = members().flatMap((one, index) =>
      loaded[index].reason ? {...one, problem: loaded[index].reason} : [],
    );
    nameSeries();
    draw();
    loadScores(mine);
  } catch (problem) {
    if (mine === turn) fail(problem);
  } finally {
    if (mine === turn) byId('main').removeAttribute('aria-busy');
  }
}

// Later, since nothing waits for them.
async function loadScores(mine) {
  const asked = new Set(members().map(({model}) => model));
  await Promise.all([...asked].map(async (model) => (live[model] ??= await api.scores(model))));
  if (mine === turn) drawModels();
}

// The chosen one, then what it is compared with: countries of the same model, models for the same country.
function members() {
  const compared = view.with
    .slice(0, MOST_SERIES - 1)
    .map((member) => ({member, ...(isCode(member) ? {code: member} : {model: member})}));
  return [{}, ...compared].map((one) => ({model: view.model, code: view.country, ...one}));
}

async function loadMember({member, model, code}, main, counts) {
  const entry = entryOf(model);
  if (!entry) throw new api.Problem(404, `There is no model ${model} here.`);
  const unit = entry.unit ?? 'nothing';
  if (unit !== main.unit) throw new api.Problem(422, `${model} counts ${unit}, not ${main.unit}.`);
  return {...(await load(entry, code, counts)), member};
}

// By what they differ in.
function nameSeries() {
  const differ = (property) => new Set([...series, ...missing].map((one) => one[property])).size > 1;
  const [places, kinds] = [differ('code'), differ('model')];
  for (const one of [...series, ...missing]) {
    const place = placeName(one.code);
    one.title = [places && place, kinds && one.model].filter(Boolean).join(', ') || place;
    one.label = [places && one.code, kinds && one.model].filter(Boolean).join(' ');
  }
}

function placeName(code) {
  const known = [...(countries[view.model] ?? []), ...(excluded[view.model] ?? [])];
  return known.find((country) => country.code === code)?.name ?? code;
}

function usualModel() {
  const useful = models.filter((one) => one.horizon);
  const ready = useful.filter((one) => one.health === 'ready');
  return (ready.find((one) => !one.reference) ?? ready[0] ?? useful[0] ?? models[0]).model;
}

function busiest(known) {
  const count = (country) => country.last_observation?.observed ?? 0;
  return known.toSorted((one, other) => count(other) - count(one))[0]?.code ?? null;
}

// --- choosing ---

function go(patch) {
  view = {...view, ...patch};
  history.pushState(null, '', write(view));
  show();
}

function chooseModel(model) {
  const {unit} = entryOf(model);
  const others = view.with.filter((name) => isCode(name) || (name !== model && entryOf(name)?.unit === unit));
  go({model, with: others, counts: null, threshold: null, date: null});
}

function chooseCountry(country) {
  go({country, with: view.with.filter((name) => name !== country), threshold: null});
}

function offer() {
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

// Also those that have no forecast, so that who looks for one learns why.
async function offerExcluded() {
  const {model} = view;
  if (excluded[model] || !countries[model]) return;
  excluded[model] = [];
  excluded[model] = await api.excluded(model).catch(() => []);
  offer();
}

// --- showing ---

const chosenDay = () =>
  view.date ? toDay(view.date) : Math.min(firstDay(series[0]) + USUAL_DAYS - 1, lastDay(series[0]));

function chosenThreshold() {
  if (view.threshold != null) return view.threshold;
  const {median} = forecastOf(series[0], chosenDay()) ?? series[0].forecast.at(-1);
  return Math.round(median.toPrecision(2));
}

function draw() {
  const [main] = series;
  const counted = main.counts === 'daily' ? `Daily ${main.unit}` : `Cumulative ${main.unit}`;
  const different = (property) => [...new Set(series.map((one) => one[property]))];
  const sources = different('model');
  byId('title').textContent = [counted, ...different('name')].join(', ');
  const fitted = main.origin === main.dataThrough ? '' : `, fitted through ${longDate(main.origin)}`;
  byId('source').textContent =
    `Model${sources.length > 1 ? 's' : ''} ${sources.join(', ')}; data through ${longDate(main.dataThrough)}${fitted}`;
  document.title = `${byId('title').textContent} · Forecastle`;
  for (const [name, value] of Object.entries({counts: main.counts, scale: view.scale, past: view.past})) {
    byId('options').elements[name].value = value;
  }
  for (const part of document.querySelectorAll('.of-forecast')) part.hidden = false;
  byId('problem').hidden = true;
  drawChart();
  drawModels();
  if (byId('table').open) drawTable();
}

function drawChart() {
  const day = chosenDay();
  chart.draw({
    series,
    day,
    threshold: chosenThreshold(),
    scale: view.scale,
    past: view.past,
    summary: summary(series, day),
  });
  fill();
  tell(null);
  ask();
}

function drawModels() {
  const newest = Math.max(...models.filter((one) => one.data_through).map((one) => toDay(one.data_through)));
  const caveats = Object.fromEntries(series.map(({model, caveat}) => [model, caveat]));
  const entries = [...new Set(members().map(({model}) => model))].map(entryOf).filter(Boolean);
  byId('notices').replaceChildren(...entries.flatMap((entry) => notices(entry, caveats[entry.model])));
  byId('about-title').textContent = entries.length > 1 ? 'The models' : 'The model';
  byId('about').replaceChildren(...entries.map((entry) => about(entry, newest)));
  const scores = entries.flatMap((entry) => past(entry, live[entry.model], entries.length > 1));
  byId('scores').replaceChildren(...scores);
  byId('past').hidden = !scores.length;
}

function drawTable() {
  byId('table')
    .querySelector('.scroll')
    .replaceChildren(...series.map(table));
}

function fail(problem) {
  if (!(problem instanceof api.Problem)) console.error(problem); // a fault of the page itself
  series = [];
  clearTimeout(askSoon);
  asking.abort();
  answer('');
  chart.clear();
  for (const part of document.querySelectorAll('.of-forecast')) part.hidden = true;
  byId('title').textContent = placeName(view.country) ?? 'Forecast';
  byId('source').textContent = view.model ? `Model ${view.model}` : '';
  const passing = !(problem.status >= 400 && problem.status < 500); // not the address's fault
  const meant = problem.nearMatches?.map(({code, name}) => button(name, () => chooseCountry(code))) ?? [];
  byId('problem').replaceChildren(
    element('p', {}, problem.message),
    element('p', {class: 'buttons'}, meant, passing && button('Try again', again)),
  );
  byId('problem').hidden = false;
  drawModels();
}

function again() {
  models = [];
  show();
}

function button(text, press) {
  const made = element('button', {type: 'button'}, text);
  made.addEventListener('click', press);
  return made;
}

// The values of the day under the pointer, or of the chosen one.
function tell(pointed) {
  const day = pointed ?? chosenDay();
  byId('reading-date').textContent = weekdayDate(day);
  const remove = (name) => go({with: view.with.filter((other) => other !== name)});
  byId('readings').replaceChildren(...readings(series, missing, day, remove));
}

// --- asking ---

function moved(what, value, done) {
  set(what === 'day' ? {date: toIso(value)} : {threshold: value}, done);
  fill();
  tell(null);
  ask();
}

// Small steps change the address, but add nothing to go back to.
function set(patch, done = true) {
  view = {...view, ...patch};
  if (done) history.replaceState(null, '', write(view));
}

function fill() {
  const [main] = series;
  const {side, threshold, date} = byId('question').elements;
  side.value = view.side;
  if (threshold.valueAsNumber !== chosenThreshold()) threshold.value = chosenThreshold();
  [date.min, date.max] = [toIso(firstDay(main)), toIso(lastDay(main))];
  if (date.value !== toIso(chosenDay())) date.value = toIso(chosenDay());
  byId('what').textContent =
    main.counts === 'daily' ? `${main.unit} on` : `${main.unit} in total by the end of`;
}

function ask() {
  byId('answers').setAttribute('aria-busy', 'true'); // nothing is read out before it is settled
  clearTimeout(askSoon);
  askSoon = setTimeout(askNow, 50);
}

async function askNow() {
  asking.abort();
  asking = new AbortController();
  const {signal} = asking;
  const [asked, day] = [series, chosenDay()];
  const told = await Promise.allSettled(
    asked.map((one) =>
      forecastOf(one, day)
        ? api.probability(one.model, one.code, event(one, view.side, chosenThreshold(), day), signal)
        : null,
    ),
  );
  if (!signal.aborted) answer(answers(asked, told));
}

function answer(told) {
  byId('answers').replaceChildren(told);
  byId('answers').removeAttribute('aria-busy');
}

// --- listening ---

byId('options').addEventListener('change', ({target: {name, value}}) => {
  if (name === 'counts')
    go({counts: value === ownCounts(entryOf(view.model)) ? null : value, threshold: null});
  else {
    view = {...view, [name]: value};
    history.pushState(null, '', write(view));
    drawChart();
  }
});

byId('question').addEventListener('submit', (event) => event.preventDefault());
byId('question').addEventListener('input', ({target}) => {
  if (!target.value || !target.validity.valid) return;
  if (target.name === 'side') set({side: target.value});
  else if (target.name === 'threshold') set({threshold: target.valueAsNumber});
  else set({date: target.value});
  drawChart();
});

byId('table').addEventListener('toggle', () => byId('table').open && drawTable());

const fileName = () =>
  [
    ...new Set(series.flatMap(({model, code}) => [model, code])),
    series[0].counts,
    toIso(series[0].dataThrough),
  ].join('-');

byId('csv').addEventListener('click', () =>
  save(`${fileName()}.csv`, new Blob([csv(series)], {type: 'text/csv'})),
);
byId('png').addEventListener('click', async () => {
  chart.draw(chart.shown, ...PICTURE);
  const picture = png(
    chart.svg,
    byId('title').textContent,
    `${byId('source').textContent}; ${chart.shaded()}`,
  );
  chart.draw(chart.shown);
  save(`${fileName()}.png`, await picture);
});
byId('share').addEventListener('click', async () => {
  history.replaceState(null, '', write({...view, threshold: chosenThreshold(), date: toIso(chosenDay())}));
  const copied = await navigator.clipboard?.writeText(location.href).then(
    () => true,
    () => false,
  );
  byId('done').textContent = copied ? 'Copied.' : 'Copy the address of this page: it has all that is shown.';
  setTimeout(() => (byId('done').textContent = ''), 5000);
});

window.addEventListener('popstate', () => {
  view = read(location.search);
  show();
});

show();
