// What is looked at, as the address says it: sharing the address shares the view.

/** @import {View} from './types.d.ts' */

/** @type {(name: string) => boolean} */
export const isCode = (name) => name === name.toUpperCase(); // models are named in small letters

/**
 * @param {string} search of the address
 * @returns {View}
 */
export function read(search) {
  const query = new URLSearchParams(search);
  /**
   * @template {string} T
   * @param {string} name
   * @param {T[]} allowed
   */
  const choice = (name, ...allowed) => allowed.find((value) => value === query.get(name));
  const side = query.has('below') ? 'below' : 'above';
  const threshold = Number.parseFloat(query.get(side) ?? '');
  const date = query.get('date');
  return {
    model: query.get('model') ?? '',
    country: query.get('country')?.toUpperCase() ?? '',
    with: [...new Set((query.get('with') ?? '').split(',').filter(Boolean))],
    counts: choice('counts', 'daily', 'cumulative') ?? null,
    scale: choice('scale', 'linear', 'log') ?? null,
    past: choice('past', '8w', 'all') ?? '4w',
    side,
    threshold: threshold >= 0 ? threshold : null,
    date: date && !Number.isNaN(Date.parse(`${date}T00:00Z`)) ? date : null,
  };
}

/**
 * The address of the view; what the page would choose by itself is left out.
 * @param {View} view
 */
export function write(view) {
  const search = new URLSearchParams();
  const {model, country, counts, scale, date} = view;
  const past = view.past === '4w' ? null : view.past;
  for (const [name, value] of Object.entries({model, country, counts, scale, past, date})) {
    if (value) search.set(name, value);
  }
  if (view.with.length) search.set('with', view.with.join(','));
  if (view.threshold != null) search.set(view.side, String(view.threshold));
  else if (view.side === 'below') search.set('below', '');
  return search.size ? `?${search}`.replaceAll('%2C', ',') : location.pathname;
}
