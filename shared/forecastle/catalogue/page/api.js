// The routes of the gateway that the page asks.

/** @import {ExcludedPlace, ModelEntry, Observation, Place, PlaceEntry, PlaceForecast} from './types.d.ts' */
/** @import {Probability, Scores} from './types.d.ts' */
/** @typedef {{model: string, plural: string | null}} Model as much as its routes need */
/** @typedef {Record<string, string | number | number[] | null>} Parameters */

// What a proxy puts before every path, or nothing: this file lies there in docs/page/<version>/. What the gateway answers
// as a link has it already.
export const before = new URL('../../..', import.meta.url).pathname.slice(0, -1);

// An error that the API described (RFC 9457), or that it could not be reached at all: then the status is 0.
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   * @param {Place[]} nearMatches
   */
  constructor(status, detail, nearMatches = []) {
    super(detail);
    this.status = status;
    this.nearMatches = nearMatches;
  }
}

/**
 * Tries twice: networks change under a browser, and half a second later all may be well.
 * @param {string} address
 * @param {RequestInit} options
 * @returns {Promise<Response>}
 */
async function request(address, options, tries = 2) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    if (tries === 1) throw new Problem(0, 'The server cannot be reached.');
    await new Promise((resolve) => setTimeout(resolve, 500));
    return request(address, options, tries - 1);
  }
}

/**
 * @param {string} path
 * @param {Parameters} parameters
 * @param {AbortSignal} [signal]
 */
async function get(path, parameters = {}, signal) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) if (each != null) query.append(name, String(each));
  }
  const address = query.size ? `${path}?${query}` : path;
  const answer = await request(address, {headers: {Accept: 'application/json'}, signal});
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new Problem(
    answer.status,
    body?.detail ?? `${path} answers with status ${answer.status}.`,
    body?.near_matches,
  );
}

/**
 * All rows of a list that may come in several pages.
 * @param {string} path
 * @param {string} name of the member that has the rows
 */
async function getRows(path, name) {
  const rows = [];
  for (let next = path; next; ) {
    const page = await get(next);
    rows.push(...page[name]);
    next = page.links?.next;
  }
  return rows;
}

/** @type {(model: Model) => string} */
const listPath = ({model, plural}) => `${before}/${model}/${encodeURIComponent(plural ?? '')}`;

/** @type {(model: Model, code: string) => string} */
const placePath = (model, code) => `${listPath(model)}/${encodeURIComponent(code)}`;

/** @type {() => Promise<ModelEntry[]>} */
export const models = async () => (await get(`${before}/models`)).models;

/** @type {(model: Model) => Promise<PlaceEntry[]>} */
export const places = (model) => getRows(listPath(model), model.plural ?? '');

/** @type {(model: Model, code: string) => Promise<Observation[]>} */
export const observations = (model, code) =>
  getRows(`${placePath(model, code)}/observations`, 'observations');

/** @type {(model: Model, code: string, parameters: Parameters) => Promise<PlaceForecast>} */
export const forecast = (model, code, parameters) => get(`${placePath(model, code)}/forecast`, parameters);

/** @type {(model: Model, code: string, event: Parameters, signal: AbortSignal) => Promise<Probability>} */
export const probability = (model, code, event, signal) =>
  get(`${placePath(model, code)}/probability`, event, signal);

/**
 * How the model's forecasts did once their dates were reported; null where no scores are kept.
 * @type {(model: string) => Promise<Scores | null>}
 */
export const scores = (model) => get(`${before}/models/${model}/scores`).catch(() => null);

/**
 * What this model has no forecast for.
 * @param {string} model
 * @returns {Promise<ExcludedPlace[]>}
 */
export async function excluded(model) {
  const manifest = await get(`${before}/${model}/manifest.json`);
  return Object.entries(manifest.excluded ?? {}).map(([code, entry]) => ({code, ...entry}));
}

/**
 * The OpenAPI document of a model.
 * @param {string} model
 */
export const openapi = (model) => get(`${before}/${model}/openapi.json`);

/**
 * A request that somebody typed: its status and what it answers, JSON laid out to be read.
 * @param {string} method
 * @param {string} path
 * @param {string} [body] in JSON
 */
export async function attempt(method, path, body) {
  try {
    const headers = body ? {'Content-Type': 'application/json'} : undefined;
    const answer = await request(path, {method, body: body || undefined, headers});
    const text = await answer.text();
    const shown = /json/.test(answer.headers.get('Content-Type') ?? '')
      ? JSON.stringify(JSON.parse(text), null, 2)
      : text;
    return `${answer.status} ${answer.statusText}\n${shown}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
