// A model that forecasts nothing: its routes, each to be tried with an example out of its OpenAPI document.

import * as api from './api.js';
import {element} from './dom.js';

/** @import {ModelEntry} from './types.d.ts' */
/** @typedef {Record<string, any>} Schema of JSON */

const DEEPEST = 8; // schemas may refer to themselves

/** @param {ModelEntry} entry */
export async function plain(entry) {
  const routes = entry.routes ?? [];
  if (!routes.length) return [element('p', {}, 'It describes no routes: see its card.')];
  const document = await api.openapi(entry.model);
  return routes.map((route) => {
    const [method, path] = route.split(' ');
    const own = path.slice(entry.model.length + 1);
    return tried(method, `${api.before}${path}`, document.paths[own]?.[method.toLowerCase()] ?? {}, document);
  });
}

/**
 * @param {string} method
 * @param {string} path at the gateway
 * @param {Schema} operation
 * @param {Schema} document
 */
function tried(method, path, operation, document) {
  const schema = operation.requestBody?.content?.['application/json']?.schema;
  const body = schema && JSON.stringify(example(schema, document), null, 2);
  const address = element('input', {value: path, 'aria-label': 'Path', spellcheck: 'false'});
  const text = element('textarea', {rows: (body ?? '').split('\n').length, 'aria-label': 'Body, in JSON'});
  text.value = body ?? '';
  const answer = element('pre', {class: 'answer', role: 'status', tabindex: '0'});
  const form = element(
    'form',
    {class: 'try'},
    element('h3', {}, `${method} ${path}`),
    operation.description && element('p', {class: 'quiet'}, operation.description),
    /[{]/.test(path) && element('label', {}, 'Path ', address),
    body && text,
    element('button', {}, 'Try it'),
    answer,
  );
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    answer.textContent = '...';
    answer.textContent = await api.attempt(method, address.value, body && text.value);
  });
  return form;
}

/**
 * A value that a schema describes, by its examples and defaults where it has some.
 * @param {Schema} schema
 * @param {Schema} document
 * @returns {unknown}
 */
export function example(schema, document, depth = 0) {
  const found = schema.$ref ? resolved(schema.$ref, document) : schema;
  if (depth > DEEPEST) return null;
  if (found.examples?.length) return found.examples[0];
  for (const name of ['example', 'default', 'const']) if (found[name] !== undefined) return found[name];
  if (found.enum) return found.enum[0];
  const [choice] = found.anyOf ?? found.oneOf ?? found.allOf ?? [];
  if (choice) return example(choice, document, depth + 1);
  if (found.type === 'array') return [example(found.items ?? {}, document, depth + 1)];
  if (found.type === 'object' || found.properties) {
    return Object.fromEntries(
      Object.entries(found.properties ?? {}).map(([name, part]) => [
        name,
        example(part, document, depth + 1),
      ]),
    );
  }
  return {string: 'text', integer: 1, number: 1.5, boolean: true}[String(found.type)] ?? null;
}

/**
 * @param {string} reference such as #/components/schemas/Flower
 * @param {Schema} document
 * @returns {Schema}
 */
const resolved = (reference, document) =>
  reference
    .split('/')
    .slice(1)
    .reduce((node, name) => node?.[name], document) ?? {};
