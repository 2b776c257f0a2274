// A text field with a list to choose from, after the combobox pattern of the ARIA Authoring Practices.

import {element, present} from './dom.js';

/** @import {Option} from './types.d.ts' */

/**
 * Without accents, and U.K. as UK.
 * @param {string} text
 */
const plain = (text) =>
  text
    .normalize('NFD')
    .replace(/[\p{M}.]/gu, '')
    .toLowerCase();

export class Combobox {
  /**
   * @param {HTMLElement} root
   * @param {(value: string) => void} choose is called with the value of the option that was taken
   * @param {object} options
   * @param {() => void} [options.opens] is called whenever the list opens, to add options late
   * @param {boolean} [options.clears] whether the field is empty again after a choice
   */
  constructor(root, choose, {opens = () => {}, clears = false} = {}) {
    this.input = present(root.querySelector('input'));
    this.list = present(root.querySelector('ul'));
    this.choose = choose;
    this.opens = opens;
    this.clears = clears;
    /** @type {(Option & {text: string; known: string[]})[]} */
    this.options = [];
    this.shown = this.options; // those that match what is typed
    this.active = -1;
    this.value = '';
    this.label = '';
    this.typed = '';
    this.input.addEventListener('focus', () => this.input.select());
    this.input.addEventListener('click', () => this.open(''));
    this.input.addEventListener('input', () => this.open(this.input.value));
    this.input.addEventListener('blur', () => this.close());
    this.input.addEventListener('keydown', (event) => this.press(event));
    this.list.addEventListener('mousedown', (event) => event.preventDefault()); // keeps the focus in the field
    this.list.addEventListener('click', ({target}) => {
      const clicked = target instanceof Element && target.closest('[role=option]');
      if (clicked) this.take([...this.list.children].indexOf(clicked));
    });
  }

  /** @param {Option[]} options */
  setOptions(options) {
    this.options = options.map((option) => ({
      ...option,
      text: plain([option.label, option.words, ...(option.names ?? [])].join(' ')),
      known: [option.label, option.value, ...(option.names ?? [])].map(plain),
    }));
    if (!this.list.hidden) this.open(this.typed);
  }

  /**
   * @param {string} value
   * @param {string} label
   */
  setValue(value, label) {
    this.value = value;
    this.label = label;
    if (this.list.hidden) this.write();
  }

  /** @param {string} typed */
  open(typed) {
    this.typed = typed;
    if (this.list.hidden) this.opens();
    this.shown = this.matches(plain(typed.trim()));
    this.list.replaceChildren(
      ...this.shown.map((option, index) =>
        element(
          'li',
          {
            role: 'option',
            id: `${this.list.id}-${index}`,
            'aria-selected': String(option.value === this.value),
          },
          option.label,
          option.hint && element('span', {class: 'hint'}, option.hint),
        ),
      ),
    );
    if (!this.shown.length)
      this.list.append(element('li', {role: 'option', 'aria-disabled': 'true', class: 'none'}, 'No match'));
    this.list.hidden = false;
    this.input.setAttribute('aria-expanded', 'true');
    this.activate(
      typed && this.shown.length ? 0 : this.shown.findIndex((option) => option.value === this.value),
    );
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute('aria-expanded', 'false');
    this.input.removeAttribute('aria-activedescendant');
    this.write();
  }

  // Selects it, too: what is typed next takes its place.
  write() {
    if (this.input.value !== this.label) this.input.value = this.label;
    if (document.activeElement === this.input) this.input.select();
  }

  /**
   * Options that are called what was typed come first, then those that start with it, then those with a word that
   * does.
   * @param {string} typed
   */
  matches(typed) {
    /** @param {{text: string; known: string[]}} option */
    const rank = ({text, known}) =>
      [
        known.includes(typed),
        text.startsWith(typed),
        text.includes(` ${typed}`),
        text.includes(typed),
      ].indexOf(true);
    return this.options.filter((option) => rank(option) >= 0).sort((one, other) => rank(one) - rank(other)); // which keeps the order of equals
  }

  /** @param {number} index */
  activate(index) {
    this.list.querySelector('.active')?.classList.remove('active');
    this.active = index;
    const option = this.list.children[index];
    if (!option || !this.shown.length) return this.input.removeAttribute('aria-activedescendant');
    option.classList.add('active');
    option.scrollIntoView({block: 'nearest'});
    this.input.setAttribute('aria-activedescendant', option.id);
  }

  /** @param {number} index */
  take(index) {
    const option = this.shown[index];
    if (!option) return;
    this.label = this.clears ? '' : option.label;
    this.close();
    this.choose(option.value);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const last = this.shown.length - 1;
    const closed = this.list.hidden;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const step = event.key === 'ArrowDown' ? 1 : -1;
      if (closed) this.open('');
      else
        this.activate(this.active < 0 && step < 0 ? last : (this.active + step + last + 1) % (last + 1 || 1));
    } else if (event.key === 'Enter' && !closed) {
      this.take(this.active);
    } else if (event.key === 'Escape' && !closed) {
      this.close();
    } else if (event.key === 'Tab' && !closed) {
      if (this.typed) this.take(this.active);
      return;
    } else return;
    event.preventDefault();
  }
}
