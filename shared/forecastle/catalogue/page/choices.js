// What there is to choose: options for the comboboxes.

import {ALIASES} from './aliases.js';

/** @import {Country, ExcludedCountry, ModelEntry, Option, View} from './types.d.ts' */

/** @type {(entries: ModelEntry[]) => Option[]} */
export const models = (entries) =>
  entries.map((entry) => ({value: entry.model, label: entry.model, words: entry.title, hint: hint(entry)}));

/**
 * Also countries without a forecast: whoever looks for one learns why.
 * @type {(known: Country[], excluded?: ExcludedCountry[]) => Option[]}
 */
export const countries = (known, excluded = []) => [
  ...known.map(place).sort(byLabel),
  ...excluded.map((country) => ({...place(country), hint: 'no forecast'})).sort(byLabel),
];

/**
 * Models that count the same, and countries of the same model.
 * @type {(entries: ModelEntry[], known: Country[], main: ModelEntry | undefined, view: View) => Option[]}
 */
export const comparisons = (entries, known, main, view) =>
  [
    ...models(
      entries.filter((entry) => entry.model !== main?.model && entry.unit && entry.unit === main?.unit),
    ),
    ...countries(known),
  ].filter(({value}) => value !== view.country && !view.with.includes(value));

/**
 * Found by its names, its code and its initials.
 * @param {Country} country
 * @returns {Option}
 */
function place({code, name}) {
  const words = name.split(/[\s-]+/);
  const initials = words.map((word) => word[0]).join('');
  return {value: code, label: name, words: `${code} ${initials}`, names: ALIASES[code]};
}

/** @type {(one: Option, other: Option) => number} */
const byLabel = (one, other) => one.label.localeCompare(other.label);

/** @type {(entry: ModelEntry) => string} */
const hint = (entry) =>
  [
    entry.target ?? (entry.status && !entry.kind ? '' : 'no forecasts'),
    entry.reference && 'reference',
    entry.status ?? (entry.health === 'down' && 'down'),
  ]
    .filter(Boolean)
    .join(', ');
