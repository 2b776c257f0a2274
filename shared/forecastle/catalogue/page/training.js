// A model whose artifact is made or loaded: how far that is, or why it failed.

import {element} from './dom.js';

/** @import {ModelEntry} from './types.d.ts' */

const WORDS = {
  waiting: 'Waiting for other trainings',
  training: 'Training',
  starting: 'Starting',
  failed: 'Failed',
};

/**
 * Whether it will soon be otherwise.
 * @type {(entry: ModelEntry) => boolean}
 */
export const isChanging = ({status}) => status != null && status !== 'failed';

/**
 * How far it is, in an element that `refresh` keeps up to date and no screen reader reads out each time.
 * @param {ModelEntry} entry
 */
export const stage = (entry) =>
  element('span', {class: 'stage', 'data-model': entry.model, 'aria-live': 'off'}, ...content(entry));

/** @param {ModelEntry[]} entries */
export function refresh(entries) {
  for (const shown of document.querySelectorAll('.stage')) {
    const entry = entries.find(({model}) => model === shown.getAttribute('data-model'));
    if (entry) shown.replaceChildren(...content(entry));
  }
}

/** @param {ModelEntry} entry */
function content({model, status, progress}) {
  if (!status) return [];
  if (!progress) return [WORDS[status]];
  const {step, fraction, seconds} = progress;
  if (fraction == null) return [`${step}, ${seconds} s so far`];
  const name = `${model}: ${step}`;
  return [
    `${step}, ${Math.floor(100 * fraction)} %`,
    element('progress', {value: fraction, max: 1, 'aria-label': name}),
  ];
}

/**
 * What stands in its place until it answers.
 * @param {ModelEntry} entry
 */
export const instead = (entry) => [
  element(
    'p',
    {},
    entry.status === 'failed'
      ? `${entry.model} is not served: the note above says why.`
      : `${entry.model} does not answer yet. It is shown here as soon as it does.`,
  ),
  isChanging(entry) && stage(entry),
];

/**
 * Why a training failed, or an artifact cannot be served.
 * @param {ModelEntry} entry
 */
export const verdict = ({model, health, verdict: lines}) => {
  const now = health === 'ready' ? 'is served as before, and was not renewed' : 'is not served';
  return (
    lines &&
    element(
      'div',
      {class: 'notice'},
      element('p', {}, `${model} ${now}:`),
      element('pre', {tabindex: '0'}, lines.join('\n')),
    )
  );
};
