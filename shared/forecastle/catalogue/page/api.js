// The routes of the gateway that the page asks.

// An error that the API told of (RFC 9457), or that it could not be reached at all.
export class Problem extends Error {
  constructor(status, detail, nearMatches = []) {
    super(detail);
    this.status = status;
    this.nearMatches = nearMatches; // [{code, name}]
  }
}

// Twice, since networks change under a browser, and half a second later all may be well.
async function reach(address, options, tries = 2) {
  try {
    return await fetch(address, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    if (tries === 1) throw new Problem(0, 'The server cannot be reached.');
    await new Promise((resolve) => setTimeout(resolve, 500));
    return reach(address, options, tries - 1);
  }
}

async function get(path, parameters = {}, signal) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of [value].flat()) if (each != null) query.append(name, each);
  }
  const address = query.size ? `${path}?${query}` : path;
  const answer = await reach(address, {headers: {Accept: 'application/json'}, signal});
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new Problem(
    answer.status,
    body?.detail ?? `${path} answers with status ${answer.status}.`,
    body?.near_matches,
  );
}

// A list that may come in several pages.
async function all(path, name) {
  const rows = [];
  for (let next = path; next;) {
    const page = await get(next);
    rows.push(...page[name]);
    next = page.links?.next;
  }
  return rows;
}

const of = (model, code) => `/${model}/countries/${encodeURIComponent(code)}`;

export const models = async () => (await get('/models')).models;
export const countries = (model) => all(`/${model}/countries`, 'countries');
export const observations = (model, code) => all(`${of(model, code)}/observations`, 'observations');
export const forecast = (model, code, parameters) => get(`${of(model, code)}/forecast`, parameters);
export const probability = (model, code, event, signal) =>
  get(`${of(model, code)}/probability`, event, signal);

// How its forecasts did once the days were reported; null where nobody keeps count.
export const scores = (model) => get(`/models/${model}/scores`).catch(() => null);

// [{code, name, reason}]: the countries that this model has no forecast for.
export async function excluded(model) {
  const manifest = await get(`/${model}/manifest.json`);
  return Object.entries(manifest.excluded ?? {}).map(([code, about]) => ({code, ...about}));
}
