// Files for people to keep, made in the browser from what is shown.

import {element, present, svg} from './dom.js';

const INHERITED = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-opacity',
  'stroke-dasharray',
  'stroke-linejoin',
  'font-family',
  'font-size',
  'font-weight',
  'visibility',
];
const SHARPNESS = 2; // pixels of the picture for one on the page
const HEAD = 52;

/**
 * @param {string} name
 * @param {Blob} blob
 */
export function save(name, blob) {
  const link = element('a', {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/**
 * The chart as it looks, with a heading: a picture must say by itself what it shows.
 * @param {SVGSVGElement} chart
 * @param {string} title
 * @param {string} subtitle
 */
export async function png(chart, title, subtitle) {
  const {width, height} = chart.viewBox.baseVal;
  const style = getComputedStyle(present(chart.closest('.card')));
  /** @type {(size: number, y: number, weight: number, content: string) => SVGTextElement} */
  const text = (size, y, weight, content) =>
    svg(
      'text',
      {
        x: 12,
        y,
        fill: style.color,
        'font-family': style.fontFamily,
        'font-size': size,
        'font-weight': weight,
      },
      content,
    );
  const copy = svg(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width,
      height: height + HEAD,
      viewBox: `0 ${-HEAD} ${width} ${height + HEAD}`,
    },
    svg('rect', {x: 0, y: -HEAD, width, height: height + HEAD, fill: style.backgroundColor}),
    text(17, -28, 600, title),
    text(12, -9, 400, subtitle),
    ...[...chart.children].map(withStyle),
  );
  const address = URL.createObjectURL(
    new Blob([new XMLSerializer().serializeToString(copy)], {type: 'image/svg+xml'}),
  );
  try {
    const image = new Image(width * SHARPNESS, (height + HEAD) * SHARPNESS);
    image.src = address;
    await image.decode();
    const canvas = element('canvas', {width: image.width, height: image.height});
    present(canvas.getContext('2d')).drawImage(image, 0, 0, canvas.width, canvas.height);
    /** @type {Blob | null} */
    const picture = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
    return present(picture);
  } finally {
    URL.revokeObjectURL(address);
  }
}

/**
 * A copy that looks the same without the style sheet.
 * @param {Node} node
 * @returns {Node}
 */
function withStyle(node) {
  const copy = node.cloneNode(false);
  if (!(node instanceof Element && copy instanceof Element)) return copy;
  const style = getComputedStyle(node);
  for (const name of INHERITED) copy.setAttribute(name, style.getPropertyValue(name));
  copy.append(...[...node.childNodes].map(withStyle));
  return copy;
}
