// What there is to choose: options for the comboboxes.

export const models = (entries) =>
  entries.map((one) => ({value: one.model, label: one.model, words: one.title, hint: note(one)}));

// Also countries without a forecast, so that who looks for one learns why.
export const countries = (known, excluded = []) => [
  ...known.map(place).sort(byName),
  ...excluded.map((country) => ({...place(country), hint: 'no forecast'})).sort(byName),
];

// Models that count the same, and countries of the same model.
export const comparisons = (entries, known, main, view) =>
  [
    ...models(entries.filter((one) => one.model !== main?.model && one.unit && one.unit === main?.unit)),
    ...countries(known),
  ].filter(({value}) => value !== view.country && !view.with.includes(value));

// Found by its name, its code and its initials.
function place({code, name}) {
  const words = name.split(/[\s-]+/);
  const initials = words.map((word) => word[0]).join('');
  return {value: code, label: name, words: `${code} ${initials}`};
}

const byName = (one, other) => one.label.localeCompare(other.label);

const note = (entry) =>
  [entry.target ?? 'no forecasts', entry.reference && 'reference', entry.health === 'down' && 'down']
    .filter(Boolean)
    .join(', ');
