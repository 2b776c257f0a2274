// The fan chart: observations, medians and intervals, and two lines that can be moved, the threshold and the date.

import {setAttributes, svg} from './dom.js';
import {after} from './frequency.js';
import {dateTicks, linear, log, round125} from './scales.js';
import {
  COMPARED,
  firstDay,
  forecastOf,
  fromFirst,
  LEVELS,
  lastDay,
  lastForecast,
  nearestDay,
} from './series.js';
import {count, longDate, range, tidy} from './words.js';

/** @import {Attributes, Day, Drawing, Interval, NamedSeries, Series} from './types.d.ts' */
/** @typedef {'threshold' | 'day'} Line one that can be moved */

const CHARACTER = 7; // pixels, about
const LABEL = 14; // pixels from one to the next

/** @type {Drawing} */
const EMPTY = {series: [], scale: 'linear', past: 'all', threshold: 0, day: 0, summary: ''};
/** @type {Record<string, number>} */
const STEPS = {ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1};
/** @type {Record<string, number>} */
const LEAPS = {PageUp: 1, PageDown: -1};
const LEAP = 7; // steps of the threshold

export class Chart {
  /**
   * @param {HTMLElement} container
   * @param {object} listeners
   * @param {(line: Line, value: number, done: boolean) => void} listeners.moved `done` once the line is let go
   * @param {(day: Day | null) => void} listeners.hovered
   */
  constructor(container, {moved, hovered}) {
    this.container = container;
    this.moved = moved;
    this.hovered = hovered;
    this.shown = EMPTY;
    /** @type {Interval} */
    this.days = [0, 1];
    this.labelled = false; // whether the medians have a label each
    this.box = {left: 0, right: 1, top: 0, bottom: 1};
    this.x = linear(this.days, [0, 1]);
    this.y = linear([0, 1], [1, 0]);
    this.plot = svg('g', {role: 'img'});
    this.cross = svg('line', {class: 'cross', visibility: 'hidden'});
    this.threshold = this.handle('threshold', 'vertical');
    this.day = this.handle('day', 'horizontal');
    this.svg = svg(
      'svg',
      {role: 'group', 'aria-label': 'Chart'},
      this.plot,
      this.cross,
      this.threshold,
      this.day,
    );
    container.append(this.svg);
    new ResizeObserver(() => this.empty || this.draw(this.shown)).observe(container);
    this.svg.addEventListener('pointermove', (event) => this.hover(event));
    this.svg.addEventListener('pointerleave', () => this.hover(null));
    this.svg.addEventListener('click', (event) => {
      if (this.empty || (event.target instanceof Element && event.target.closest('.handle'))) return;
      const day = this.dayAt(event);
      if (forecastOf(this.shown.series[0], day)) this.move('day', day, true);
    });
  }

  get empty() {
    return !this.shown.series.length;
  }

  /** @param {Drawing} shown */
  draw(shown, width = this.container.clientWidth, height = this.container.clientHeight) {
    this.shown = shown;
    const first = Math.min(...shown.series.map(firstDay));
    this.days = [
      shown.past === 'all'
        ? Math.min(...shown.series.map((one) => one.observed[0]?.day ?? first))
        : after(shown.series[0].frequency, first, -shown.past),
      Math.max(...shown.series.map(lastDay)),
    ];
    const [low, high] = this.domain();
    const kind = shown.scale === 'log' ? log : linear;
    const ticks = kind([low, high], [1, 0]).ticks(6);
    const text = this.tickText(ticks);
    const widest = Math.max(...[...ticks, high].map((tick) => text(tick).length));
    this.labelled = shown.series.length > 1 && width > 500;
    const labels = this.labelled ? Math.max(...shown.series.map((one) => one.label.length)) : 0;
    this.box = {
      left: 14 + widest * CHARACTER,
      right: width - 20 - labels * CHARACTER,
      top: 26,
      bottom: height - 30,
    };
    this.x = linear(this.days, [this.box.left + 4, this.box.right - 4]);
    this.y = kind([low, high], [this.box.bottom, this.box.top]);
    setAttributes(this.svg, {viewBox: `0 0 ${width} ${height}`, height});
    this.plot.setAttribute('aria-label', shown.summary);
    this.plot.replaceChildren(...this.bands(), this.axes(ticks, text), ...this.lines(), ...this.labels());
    this.place();
  }

  clear() {
    this.shown = EMPTY;
    this.svg.setAttribute('hidden', '');
  }

  /**
   * From the least to the greatest value that is visible: with the threshold, unless it lies far off.
   * @returns {Interval}
   */
  domain() {
    const {series, scale, threshold} = this.shown;
    const several = series.length > 1;
    const values = series.flatMap((one) => [
      ...one.observed
        .filter(({day}) => day >= this.days[0])
        .map(({value}) => value)
        .filter((value) => value != null),
      ...one.forecast.flatMap(({intervals}) => intervals[several ? COMPARED : LEVELS.length - 1]),
    ]);
    const {real} = series[0];
    if (real) return this.realDomain(values);
    const most = Math.max(...values, 1);
    /** @param {number} value */
    const near = (value) => value > 0 && value <= 2 * most;
    const top = Math.max(most, near(threshold) ? threshold : 0);
    if (scale === 'log') {
      const positive = [...values, near(threshold) ? threshold : top].filter((value) => value >= 1);
      const [low, high] = [round125(Math.min(...positive, top), true), round125(top * 1.02)];
      return low < high ? [low, high] : [low / 10, high];
    }
    const least = Math.min(...values, near(threshold) ? threshold : most);
    // Counts of a period stand on 0; totals need not.
    const low =
      series[0].counts === 'cumulative' && least > 0.3 * top
        ? least - 0.08 * (top - least)
        : Math.min(0, least);
    return [low, top + 0.06 * (top - low)];
  }

  /**
   * The same of real numbers, which may lie on both sides of 0, or all far from it.
   * @param {number[]} values
   * @returns {Interval}
   */
  realDomain(values) {
    const {scale, threshold} = this.shown;
    const [least, most] = [Math.min(...values), Math.max(...values)];
    const reach = most - least || Math.abs(most) || 1;
    const near = threshold >= least - reach && threshold <= most + reach;
    const [bottom, top] = near ? [Math.min(least, threshold), Math.max(most, threshold)] : [least, most];
    if (scale === 'log') {
      const positive = [...values, threshold].filter((value) => value > Math.max(0, top / 1e6));
      const [low, high] = [round125(Math.min(...positive, top), true), round125(top * 1.02)];
      return low < high ? [low, high] : [low / 10, high];
    }
    const margin = 0.06 * (top - bottom || reach);
    const onZero = bottom >= 0 && bottom <= 0.3 * top;
    return [onZero ? 0 : bottom - margin, top + margin];
  }

  /**
   * Ticks of real numbers have as many decimals as tell them apart.
   * @param {number[]} ticks
   * @returns {(tick: number) => string}
   */
  tickText(ticks) {
    const {series, scale} = this.shown;
    const [{real}] = series;
    if (!real || scale === 'log' || ticks.length < 2) return (tick) => count(tick, real);
    const decimals = Math.max(0, -Math.floor(Math.log10(ticks[1] - ticks[0]) + 1e-9));
    if (decimals === 0 || decimals > 6) return (tick) => count(tick, true);
    const format = new Intl.NumberFormat('en-GB', {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    });
    return (tick) => format.format(tidy(tick) || 0); // which is never -0
  }

  /**
   * @param {number[]} ticks
   * @param {(tick: number) => string} written
   */
  axes(ticks, written) {
    const {left, right, top, bottom} = this.box;
    const {series} = this.shown;
    /** @type {(x: number, y: number, anchor: string, content: string) => SVGTextElement} */
    const text = (x, y, anchor, content) =>
      svg('text', {class: 'tick', x, y, 'text-anchor': anchor}, content);
    const counts = svg('g', {class: 'counts'});
    for (const tick of ticks) {
      const y = Math.round(this.y(tick)) + 0.5;
      counts.append(
        svg('line', {class: 'grid', x1: left, x2: right, y1: y, y2: y}),
        text(left - 8, y + 4, 'end', written(tick)),
      );
    }
    const dates = svg('g', {class: 'dates'});
    const most = Math.floor((right - left) / 62);
    for (const {day, text: date} of dateTicks(series[0].frequency, ...this.days, most)) {
      const x = Math.round(this.x(day)) + 0.5;
      dates.append(svg('line', {class: 'axis', x1: x, x2: x, y1: bottom, y2: bottom + 5}));
      dates.append(text(x, bottom + 20, 'middle', date));
    }
    const frame = svg('line', {class: 'axis', x1: left, x2: right, y1: bottom + 0.5, y2: bottom + 0.5});
    const [{counts: kind, unit: name, real, frequency}] = series;
    const per = real ? '' : kind === 'cumulative' ? ' in total' : ` a ${frequency.period}`;
    const unit = text(4, 12, 'start', name + per);
    const axes = svg('g', {}, counts, dates, frame, unit);
    if (new Set(series.map(firstDay)).size === 1) {
      const x = this.x((firstDay(series[0]) + fromFirst(series[0], -1)) / 2);
      axes.append(svg('line', {class: 'origin', x1: x, x2: x, y1: top - 8, y2: bottom}));
      axes.append(text(x - 6, 12, 'end', 'observed'), text(x + 6, 12, 'start', 'forecast'));
    }
    return axes;
  }

  bands() {
    const {series} = this.shown;
    const several = series.length > 1;
    const levels = several ? [COMPARED] : LEVELS.map((_, index) => index).reverse();
    return series.flatMap((one, index) =>
      levels.map((level) => {
        const upper = one.forecast.map(({day, intervals}) => this.point(day, intervals[level][1]));
        const lower = one.forecast.map(({day, intervals}) => this.point(day, intervals[level][0]));
        return svg('path', {
          class: `band series-${index} level-${LEVELS[level] * 100}${several ? ' compared' : ''}`,
          d: `M${upper.join('L')}L${lower.reverse().join('L')}Z`,
        });
      }),
    );
  }

  lines() {
    const {series} = this.shown;
    const onePlace = new Set(series.map(({code}) => code)).size === 1;
    return series.flatMap((one, index) => {
      const colour = onePlace ? 'neutral' : `series-${series.findIndex(({code}) => code === one.code)}`;
      const observed = one.observed.filter(({day}) => day >= this.days[0]);
      const path = observed.map(({day, value}, index) =>
        value == null
          ? ''
          : `${index && observed[index - 1].value != null ? 'L' : 'M'}${this.point(day, value)}`,
      );
      const dots = series.length > 1 && !onePlace ? [] : observed;
      return [
        svg('path', {class: `observed ${colour}`, d: path.join('')}),
        ...dots.flatMap(({day, value}) =>
          value == null
            ? []
            : svg('circle', {class: `observed ${colour}`, cx: this.x(day), cy: this.y(value), r: 2.2}),
        ),
        svg('path', {
          class: `median series-${index}`,
          d: `M${one.forecast.map(({day, median}) => this.point(day, median)).join('L')}`,
        }),
      ];
    });
  }

  // At the end of each median, where there are several; pushed apart where they would overlap.
  labels() {
    const {series} = this.shown;
    if (!this.labelled) return [];
    const labels = series
      .map((one, index) => ({one, index, y: this.y(lastForecast(one).median)}))
      .sort((a, b) => a.y - b.y);
    labels.forEach((label, index) => {
      if (index) label.y = Math.max(label.y, labels[index - 1].y + LABEL);
    });
    labels.forEach((label, index) => {
      label.y = Math.min(label.y, this.box.bottom - 6 - LABEL * (labels.length - 1 - index));
    });
    return labels.map(({one, index, y}) =>
      svg('text', {class: `label series-${index}`, x: this.x(lastDay(one)) + 6, y: y + 4}, one.label),
    );
  }

  // What the bands are, in words.
  shaded() {
    const levels = this.shown.series.length > 1 ? [LEVELS[COMPARED]] : LEVELS;
    return `shaded: central intervals of ${levels.map((level) => 100 * level).join(', ')} %`;
  }

  /**
   * @param {Day} day
   * @param {number} value
   */
  point(day, value) {
    return `${this.x(day).toFixed(1)} ${this.y(value).toFixed(1)}`;
  }

  /**
   * @param {Line} line
   * @param {'vertical' | 'horizontal'} orientation
   */
  handle(line, orientation) {
    const handle = svg(
      'g',
      {
        class: `handle ${line}`,
        role: 'slider',
        tabindex: 0,
        'aria-orientation': orientation,
        'aria-label': line === 'day' ? 'Date' : 'Threshold',
      },
      svg('line', {class: 'reach'}),
      svg('line', {class: 'line'}),
      svg('rect', {class: 'tag', height: 20, rx: 4}),
      svg('text', {class: 'tag-text', 'text-anchor': 'middle'}),
    );
    let grip = 0; // pixels from the pointer to the day's line, which does not jump when its tag is taken at the side
    handle.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      grip = this.dayX() - this.pointerX(event);
      handle.focus({preventScroll: true});
      handle.setPointerCapture(event.pointerId);
      handle.classList.add('dragged');
    });
    /** @type {(event: PointerEvent, done: boolean) => void} */
    const drag = (event, done) => {
      if (!handle.classList.contains('dragged')) return;
      if (done) handle.classList.remove('dragged');
      this.move(line, line === 'day' ? this.dayAt(event, grip) : this.valueAt(event), done);
    };
    handle.addEventListener('pointermove', (event) => drag(event, false));
    handle.addEventListener('pointerup', (event) => drag(event, true));
    handle.addEventListener('pointercancel', () => handle.classList.remove('dragged'));
    handle.addEventListener('keydown', (event) => this.press(event, line));
    return handle;
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Line} line
   */
  press(event, line) {
    const steps = STEPS[event.key];
    const leaps = LEAPS[event.key];
    const {threshold, day, series} = this.shown;
    const [{frequency, real, minimum}] = series;
    /** @type {Record<string, number>} */
    let ends;
    if (line === 'day') {
      ends = {Home: firstDay(series[0]), End: lastDay(series[0])};
      const periods = steps ?? leaps * frequency.leap;
      if (periods) this.move('day', after(frequency, day, periods), true);
      else if (event.key in ends) this.move('day', ends[event.key], true);
      else return;
    } else {
      const [low, high] = [this.y.invert(this.box.bottom), this.y.invert(this.box.top)];
      const fine = round125(this.shown.scale === 'log' ? threshold / 20 : (high - low) / 100);
      const step = real ? fine || round125((high - low) / 100) : Math.max(1, fine);
      /** @param {number} value */
      const bounded = (value) => tidy(Math.max(minimum ?? -Infinity, value));
      ends = {
        Home: bounded(real ? Math.ceil(low / step) * step : Math.ceil(low)),
        End: real ? tidy(Math.floor(high / step) * step) : Math.floor(high),
      };
      const number = steps ?? leaps * LEAP;
      if (number) this.move('threshold', bounded((Math.round(threshold / step) + number) * step), true);
      else if (event.key in ends) this.move('threshold', ends[event.key], true);
      else return;
    }
    event.preventDefault();
  }

  /**
   * @param {Line} line
   * @param {number} value
   * @param {boolean} done
   */
  move(line, value, done) {
    const [main] = this.shown.series;
    if (line === 'day') value = Math.min(lastDay(main), Math.max(firstDay(main), nearestDay(main, value)));
    this.shown[line] = value;
    this.place();
    this.moved(line, value, done);
  }

  // Puts the two lines where they belong; all else stays, but for ticks that their tags would cover. A line that
  // lies off the chart is not drawn: its tag says with an arrow where it is.
  place() {
    this.svg.removeAttribute('hidden');
    const {left, right, top, bottom} = this.box;
    const {threshold, day, series} = this.shown;

    const y = Math.min(bottom, Math.max(top, this.y(threshold)));
    const [most, least] = [top, bottom].map((pixel) => this.y.invert(pixel));
    const [{real, minimum, unit}] = series;
    const hair = 1e-6 * Math.max(Math.abs(most), Math.abs(least));
    const upOrDown = threshold > most + hair ? '↑ ' : threshold < least - hair ? '↓ ' : '';
    const text = upOrDown + count(threshold, real);
    const width = tagWidth(text);
    const tagX = Math.max(0, left - width - 1);
    placeHandle(
      this.threshold,
      {x1: left, x2: right, y1: y, y2: y},
      text,
      {x: tagX, y: y - 10, width},
      !upOrDown,
    );
    setSlider(
      this.threshold,
      real
        ? [Math.min(threshold, tidy(least)), Math.max(threshold, tidy(most))]
        : [Math.max(minimum ?? -Infinity, Math.round(least)), Math.max(threshold, Math.round(most))],
      threshold,
      `${count(threshold, real)} ${unit}`,
    );
    this.hideTicks('.counts text', 'y', y + 4, 16);

    const x = this.dayX();
    const [before, after] = [day < this.days[0], day > this.days[1]];
    const date = before ? `← ${longDate(day)}` : after ? `${longDate(day)} →` : longDate(day);
    const dateWidth = tagWidth(date) + 8; // letters are wider than digits
    const dateX = Math.min(right - dateWidth, Math.max(left, x - dateWidth / 2));
    const dateTag = {x: dateX, y: bottom + 6, width: dateWidth};
    placeHandle(this.day, {x1: x, x2: x, y1: top, y2: bottom}, date, dateTag, !before && !after);
    setSlider(
      this.day,
      [Math.min(day, firstDay(series[0])), Math.max(day, lastDay(series[0]))],
      day,
      longDate(day),
    );
    this.hideTicks('.dates text', 'x', dateX + dateWidth / 2, dateWidth / 2 + 22);
  }

  /**
   * @param {string} selector
   * @param {'x' | 'y'} axis
   * @param {number} place on it, of a tag
   * @param {number} near pixels from there, where ticks are hidden
   */
  hideTicks(selector, axis, place, near) {
    for (const tick of this.plot.querySelectorAll(selector)) {
      const distance = Math.abs(Number(tick.getAttribute(axis)) - place);
      tick.setAttribute('visibility', distance < near ? 'hidden' : 'visible');
    }
  }

  /** @param {PointerEvent | null} event null: the pointer has left */
  hover(event) {
    if (this.empty) return;
    const day = event && event.pointerType !== 'touch' ? this.dayAt(event) : null;
    const inside = day != null && day >= this.days[0] && day <= this.days[1];
    const x = inside ? this.x(day) : 0;
    const {top, bottom} = this.box;
    const visibility = inside ? 'visible' : 'hidden';
    setAttributes(this.cross, {x1: x, x2: x, y1: top, y2: bottom, visibility});
    this.hovered(inside ? day : null);
  }

  // Where the day's line is, or at which side it is off the chart.
  dayX() {
    return Math.min(this.box.right, Math.max(this.box.left, this.x(this.shown.day)));
  }

  /** @param {MouseEvent} event */
  pointerX(event) {
    return event.clientX - this.svg.getBoundingClientRect().left;
  }

  /** @param {MouseEvent} event */
  dayAt(event, grip = 0) {
    return nearestDay(this.shown.series[0], this.x.invert(this.pointerX(event) + grip));
  }

  /**
   * As fine as pixels are; counts are whole.
   * @param {MouseEvent} event
   */
  valueAt(event) {
    const pixel = event.clientY - this.svg.getBoundingClientRect().top;
    const [{real, minimum}] = this.shown.series;
    const value = this.y.invert(Math.min(this.box.bottom, Math.max(this.box.top, pixel)));
    const fine = round125(Math.abs(this.y.invert(pixel - 1) - this.y.invert(pixel)));
    const step = real ? fine : Math.max(1, fine);
    return tidy(Math.max(minimum ?? -Infinity, Math.round(value / step) * step));
  }
}

/** @param {string} text */
const tagWidth = (text) => text.length * CHARACTER + 12;

/**
 * @param {SVGGElement} handle
 * @param {Attributes} ends of its line
 * @param {string} text
 * @param {{x: number, y: number, width: number}} tag
 * @param {boolean} drawn whether the line itself is
 */
function placeHandle(handle, ends, text, tag, drawn) {
  const [reach, line, rect, label] = handle.children;
  setAttributes(reach, ends);
  setAttributes(line, {...ends, visibility: drawn ? 'visible' : 'hidden'});
  setAttributes(rect, tag);
  setAttributes(label, {x: tag.x + tag.width / 2, y: tag.y + 14});
  label.textContent = text;
}

/**
 * @param {SVGGElement} handle
 * @param {Interval} range
 * @param {number} now
 * @param {string} text
 */
function setSlider(handle, [least, most], now, text) {
  setAttributes(handle, {
    'aria-valuemin': least,
    'aria-valuemax': most,
    'aria-valuenow': now,
    'aria-valuetext': text,
  });
}

/**
 * The chart in words, for those who cannot see it.
 * @param {Series[]} series
 * @param {Day} day
 */
export function summary(series, day) {
  return series
    .map((one) => {
      const forecast = forecastOf(one, day);
      const last = one.observed.findLast(({value}) => value != null);
      const observed = last
        ? `observed through ${longDate(last.day)}, when it was ${count(last.value, one.real)}`
        : 'nothing observed';
      const coming = forecast
        ? `forecast for ${longDate(day)}: median ${count(forecast.median, one.real)}, 95 % interval ${range(forecast.intervals[LEVELS.length - 1], one.real)}`
        : `forecast from ${longDate(firstDay(one))} to ${longDate(lastDay(one))}`;
      return `${one.what}, ${one.name}, model ${one.model}: ${observed}; ${coming}.`;
    })
    .join(' ');
}
