// What there is to choose: options for the comboboxes.

import {ALIASES} from './aliases.js';
import {codeOf, memberOf} from './view.js';

/** @import {ExcludedPlace, ModelEntry, Option, Place, View} from './types.d.ts' */

/**
 * With what each is about, where that differs.
 * @type {(entries: ModelEntry[]) => Option[]}
 */
export function models(entries) {
  const several = new Set(entries.flatMap(({noun}) => noun ?? [])).size > 1;
  return entries.map((entry) => ({
    value: entry.model,
    label: entry.model,
    words: entry.title,
    hint: hint(entry, several),
  }));
}

/**
 * Also those without a forecast: whoever looks for one learns why.
 * @type {(noun: string | null | undefined, known: Place[], excluded?: ExcludedPlace[]) => Option[]}
 */
export const places = (noun, known, excluded = []) => [
  ...known.map((place) => option(noun, place)).sort(byLabel),
  ...excluded.map((place) => ({...option(noun, place), hint: 'no forecast'})).sort(byLabel),
];

/**
 * Models that forecast the same, and series of the same model.
 * @type {(entries: ModelEntry[], known: Place[], main: ModelEntry | undefined, view: View) => Option[]}
 */
export const comparisons = (entries, known, main, view) =>
  [
    ...models(entries.filter((entry) => main && entry.model !== main.model && !difference(entry, main))),
    ...places(main?.noun, known).map((place) => ({...place, value: memberOf(place.value)})),
  ].filter(({value}) => codeOf(value) !== view.code && !view.with.includes(value));

/**
 * Why a model cannot be compared with another one, if it cannot.
 * @param {ModelEntry} entry
 * @param {ModelEntry} main
 */
export function difference(entry, main) {
  const {model} = entry;
  if (!entry.unit || entry.unit !== main.unit)
    return `${model} counts ${entry.unit ?? 'nothing'}, not ${main.unit}.`;
  if (entry.noun !== main.noun) return `${model} forecasts ${entry.plural}, not ${main.plural}.`;
  if (entry.frequency !== main.frequency)
    return `The dates of ${model} are of the frequency ${entry.frequency}, not ${main.frequency}.`;
  if (entry.real !== main.real || entry.measure !== main.measure)
    return `${model} forecasts ${entry.measure}, not ${main.measure}.`;
  return '';
}

/**
 * Found by its names, its code and its initials; a country also by what it is called elsewhere.
 * @param {string | null | undefined} noun
 * @param {Place} place
 * @returns {Option}
 */
function option(noun, {code, name}) {
  const words = name.split(/[\s-]+/);
  const initials = words.map((word) => word[0]).join('');
  const names = noun === 'country' ? ALIASES[code] : undefined;
  return {value: code, label: name, words: `${code} ${initials}`, names};
}

/** @type {(one: Option, other: Option) => number} */
const byLabel = (one, other) => one.label.localeCompare(other.label);

/** @type {(entry: ModelEntry, several: boolean) => string} */
const hint = (entry, several) =>
  [
    entry.target ?? (entry.status && !entry.kind ? '' : 'no forecasts'),
    several && entry.plural,
    entry.reference && 'reference',
    entry.status ?? (entry.health === 'down' && 'down'),
  ]
    .filter(Boolean)
    .join(', ');
