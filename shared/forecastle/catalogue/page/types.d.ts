// The types that the page's modules share. The type checker reads this file (`make lint`); the browser never does.

// --- answers of the API: the members that the page reads; /docs describes them ---

/** In GET /models. All that a model says about itself is null until it has answered once. */
export interface ModelEntry {
  model: string;
  health: 'ready' | 'down';
  /** `plain`: it forecasts nothing. */
  kind?: 'forecast' | 'plain';
  /** What happens to its artifact, with `make run`; absent if nothing does. */
  status?: 'waiting' | 'training' | 'starting' | 'failed';
  progress?: {step: string; fraction?: number; seconds: number};
  /** Of one that failed: lines. */
  verdict?: string[];
  /** Of a plain model: "POST /iris/predict". */
  routes?: string[];
  title: string | null;
  version: string | null;
  target: string | null;
  unit: string | null;
  /** What a series is about, and its plural, which is a part of the routes. */
  noun: string | null;
  plural: string | null;
  measure: string | null;
  /** pandas' alias, such as W-SAT. */
  frequency: string | null;
  /** Whether values are real numbers, of which there is no running total, rather than counts. */
  real: boolean | null;
  /** The least value that there can be; null if there is none. */
  minimum?: number | null;
  data_through: string | null;
  data?: {title?: string; source?: string; url?: string; licence?: string};
  trained_at: string | null;
  horizon: number | null;
  /** How many there are. */
  series: number | null;
  reference: boolean | null;
  diagnostics: {r_hat: number | null; divergences: number | null} | null;
  backtest: (Score & {origins: string[]}) | null;
  links: {docs?: string; card?: string};
}

export interface Score {
  wis_ratio: number | null;
  coverage: Record<string, number>;
}

/** GET /models/{model}/scores */
export interface Scores {
  first_date: string | null;
  last_date: string | null;
  scores: Score | null;
}

/** Such as a country. */
export interface Place {
  code: string;
  name: string;
}

/** In GET /{model}/{plural} */
export interface PlaceEntry extends Place {
  last_observation: {observed: number} | null;
}

/** One that a model has no forecast for, from its manifest. */
export interface ExcludedPlace extends Place {
  reason: string;
}

/** In GET /{model}/{plural}/{code}/observations */
export interface Observation {
  date: string;
  observed: number | null;
}

/** GET /{model}/{plural}/{code}/forecast */
export interface PlaceForecast {
  version: string;
  name: string;
  target: string;
  unit: string;
  data_through: string;
  origin_date: string;
  caveat?: string;
  forecast: {date: string; mean: number; median: number; intervals: {lower: number; upper: number}[]}[];
}

/** GET /{model}/{plural}/{code}/probability */
export interface Probability {
  event: string;
  probability: number;
  /** 0 where what was observed settles the event. */
  monte_carlo_error: number;
  draws: number;
  caveat?: string | null;
}

// --- what the page makes of them ---

/** Days since 1970, in UTC. */
export type Day = number;
export type Adjective = 'daily' | 'weekly' | 'monthly' | 'quarterly' | 'yearly';
export type Counts = Adjective | 'cumulative';
/** Sums of daily values over whole weeks, Sunday to Saturday. */
export type Period = 'week';
/** Lower and upper bound. */
export type Interval = [number, number];

export interface ObservedDay {
  day: Day;
  value: number | null;
}

export interface ForecastDay {
  day: Day;
  mean: number;
  median: number;
  /** One for each of LEVELS. */
  intervals: Interval[];
}

/** What is said of the dates of a frequency. */
export interface FrequencyWords {
  /** What lies between two dates, in a word. */
  period: string;
  adjective: Adjective;
  /** Before the date of a value. */
  during: string;
  /** Before the date of a running total. */
  through: string;
  /** The periods to the date that is asked about where none is named. */
  ahead: number;
  /** The periods that a page key moves the date. */
  leap: number;
  /** The days after which data are old. */
  old: number;
  /** What the chart may show before the forecast, the usual one first. */
  pasts: {value: string; text: string; periods: number}[];
}

export interface Frequency extends FrequencyWords {
  alias: string;
  /** In a period; 0 if it is made of months. */
  days: number;
  /** In a period; 0 if it is made of days. */
  months: number;
  /** So many periods, in words. */
  periods(number: number): string;
}

/** One model's forecast of one series, with what was observed before it. */
export interface Series {
  model: string;
  version: string;
  noun: string;
  plural: string;
  code: string;
  name: string;
  /** What is shown, such as "daily deaths". */
  what: string;
  unit: string;
  frequency: Frequency;
  real: boolean;
  minimum: number | null;
  /** What is counted and by whom; empty if that is not known. */
  data: string;
  counts: Counts;
  /** What the model itself forecasts. */
  own: Counts;
  /** null: the model's own. */
  period: Period | null;
  dataThrough: Day;
  origin: Day;
  caveat?: string;
  observed: ObservedDay[];
  forecast: ForecastDay[];
}

/** A model and a series that are looked at. */
export interface Member {
  /** The name in `with` of the view, if this is a comparison. */
  member?: string;
  model: string;
  code: string;
}

/** How a member is called: `title` in text, `label` in the chart. */
export interface Names {
  title: string;
  label: string;
}

export type NamedSeries = Series & Member & Names;
/** A comparison that cannot be shown, and why. */
export type MissingSeries = Member & Names & {problem: Error};

/** What is looked at, as the address says it. */
export interface View {
  /** Empty: the page chooses. */
  model: string;
  /** The series' identifier. Empty: the page chooses. */
  code: string;
  /** Comparisons: series of this model and models of this series, as `memberOf` and models are named. */
  with: string[];
  /** null: what the model itself forecasts. */
  counts: Counts | null;
  /** null: the model's own. */
  period: Period | null;
  /** null: the page chooses. */
  scale: 'linear' | 'log' | null;
  /** What the chart shows before the forecast: `all`, or one of the frequency's `pasts`. null: the usual one. */
  past: string | null;
  side: 'above' | 'below';
  /** null: near the median. */
  threshold: number | null;
  /** ISO 8601. null: the page chooses. */
  date: string | null;
}

/** What the chart draws. */
export interface Drawing {
  /** Periods before the forecast, or all that were observed. */
  past: number | 'all';
  scale: 'linear' | 'log';
  series: NamedSeries[];
  threshold: number;
  day: Day;
  /** The same in words. */
  summary: string;
}

/** From a value to a pixel. */
export interface Scale {
  (value: number): number;
  invert(pixel: number): number;
  /** Round values in the domain, about `most` of them at most. */
  ticks(most: number): number[];
}

/** Of a combobox. What is typed finds `label` and `words`; `label` and `hint` are shown. */
export interface Option {
  value: string;
  label: string;
  words?: string | null;
  /** What it is called besides. */
  names?: string[];
  hint?: string;
}

// --- the document ---

/** The value true sets an attribute without a value; false, null and undefined leave it out. */
export type Attributes = Record<string, string | number | boolean | null | undefined>;
export type Child = Node | string | false | null | undefined;
/** null, false and undefined are left out. */
export type Children = (Child | Child[])[];
