// Elements without markup in strings: text stays text.

/** @import {Attributes, Children} from './types.d.ts' */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * @param {Element} node
 * @param {Attributes} attributes
 */
export function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, String(value));
  }
}

/**
 * @template {Element} T
 * @param {T} node
 * @param {Attributes} attributes
 * @param {Children} children
 */
function make(node, attributes, children) {
  setAttributes(node, attributes);
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

/**
 * element('p', {class: 'note'}, 'text', otherElement)
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} attributes
 * @param {Children} children
 */
export const element = (name, attributes = {}, ...children) =>
  make(document.createElement(name), attributes, children);

/**
 * @template {keyof SVGElementTagNameMap} Name
 * @param {Name} name
 * @param {Attributes} attributes
 * @param {Children} children
 */
export const svg = (name, attributes = {}, ...children) =>
  make(document.createElementNS(SVG, name), attributes, children);

/**
 * What the page cannot do without.
 * @template T
 * @param {T | null | undefined} value
 */
export function present(value) {
  if (value == null) throw new TypeError('A part of the page is missing.');
  return value;
}

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new TypeError(`#${id} is no ${kind.name}.`);
  return found;
}
