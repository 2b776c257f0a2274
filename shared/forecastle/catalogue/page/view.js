// What is looked at, as the address says it: sharing the address shares the view.

import {ADJECTIVES} from './frequency.js';

/** @import {View} from './types.d.ts' */

const MODEL = /^[a-z][a-z0-9-]*$/; // which an identifier may look like, too
const COUNTRY = 'country'; // whose codes are in capitals

/**
 * How a series is named in `with`: by its identifier, after a slash if that might be the name of a model.
 * @param {string} code
 */
export const memberOf = (code) => (MODEL.test(code) ? `/${code}` : code);

/**
 * The identifier that a member of `with` is, or null if it is a model.
 * @param {string} member
 */
export const codeOf = (member) => (MODEL.test(member) ? null : member.replace(/^\//, ''));

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
    code: query.get(COUNTRY)?.toUpperCase() ?? query.get('series') ?? '',
    with: [...new Set((query.get('with') ?? '').split(',').filter(Boolean).map(whole))],
    counts: choice('counts', ...ADJECTIVES, 'cumulative') ?? null,
    period: choice('period', 'week') ?? null,
    scale: choice('scale', 'linear', 'log') ?? null,
    past: query.get('past'),
    side,
    threshold: Number.isFinite(threshold) ? threshold : null,
    date: date && !Number.isNaN(Date.parse(`${date}T00:00Z`)) ? date : null,
  };
}

/**
 * The address of the view; what the page would choose by itself is left out.
 * @param {View} view
 * @param {string | null | undefined} noun of its series
 */
export function write(view, noun) {
  const search = new URLSearchParams();
  const {model, code, counts, period, scale, past, date} = view;
  const series = noun === COUNTRY ? COUNTRY : 'series';
  for (const [name, value] of Object.entries({model, [series]: code, counts, period, scale, past, date})) {
    if (value) search.set(name, value);
  }
  if (view.with.length) search.set('with', view.with.map(escaped).join(','));
  if (view.threshold != null) search.set(view.side, String(view.threshold));
  else if (view.side === 'below') search.set('below', '');
  return search.size ? `?${search}`.replaceAll('%2C', ',').replaceAll('%2F', '/') : location.pathname;
}

// A comma in an identifier is none between two.
/** @param {string} member */
const escaped = (member) => member.replaceAll('%', '%25').replaceAll(',', '%2C');
/** @param {string} member */
const whole = (member) => member.replaceAll('%2C', ',').replaceAll('%25', '%');
