// What is looked at, as the address says it: sharing the address shares the view.

const DEFAULTS = {
  model: null, // a model's name
  country: null, // ISO 3166 alpha-3
  with: [], // what it is compared with: codes of countries (of this model), names of models (for this country)
  counts: null, // daily or cumulative; null is the model's own
  scale: 'linear', // or log
  past: '8w', // or all
  side: 'above', // or below
  threshold: null, // null is near the median
  date: null, // null is two weeks ahead
};

export const isCode = (text) => text === text.toUpperCase(); // models are named in small letters

export function read(search) {
  const given = new URLSearchParams(search);
  const one = (name, ...allowed) => (allowed.includes(given.get(name)) ? given.get(name) : DEFAULTS[name]);
  const side = given.has('below') ? 'below' : 'above';
  const threshold = given.has(side) ? Number.parseFloat(given.get(side)) : NaN;
  const date = given.get('date');
  return {
    model: given.get('model') || null,
    country: given.get('country')?.toUpperCase() || null,
    with: [...new Set((given.get('with') ?? '').split(',').filter(Boolean))],
    counts: one('counts', 'daily', 'cumulative'),
    scale: one('scale', 'linear', 'log'),
    past: one('past', '8w', 'all'),
    side,
    threshold: threshold >= 0 ? threshold : null,
    date: date && !Number.isNaN(Date.parse(`${date}T00:00Z`)) ? date : null,
  };
}

export function write(view) {
  const search = new URLSearchParams();
  for (const name of ['model', 'country', 'counts', 'scale', 'past', 'date']) {
    if (view[name] && view[name] !== DEFAULTS[name]) search.set(name, view[name]);
  }
  if (view.with.length) search.set('with', view.with.join(','));
  if (view.threshold != null) search.set(view.side, view.threshold);
  else if (view.side !== DEFAULTS.side) search.set(view.side, '');
  return search.size ? `?${search}`.replaceAll('%2C', ',') : location.pathname;
}
