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
  data_through: string | null;
  data?: {title?: string; source?: string; url?: string; licence?: string};
  trained_at: string | null;
  horizon: number | null;
  countries: number | null;
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

export interface Country {
  code: string;
  name: string;
}

/** In GET /{model}/countries */
export interface CountryEntry extends Country {
  last_observation: {observed: number} | null;
}

/** A country that a model has no forecast for, from its manifest. */
export interface ExcludedCountry extends Country {
  reason: string;
}

/** In GET /{model}/countries/{code}/observations */
export interface Observation {
  date: string;
  observed: number | null;
}

/** GET /{model}/countries/{code}/forecast */
export interface CountryForecast {
  version: string;
  country: string;
  name: string;
  unit: string;
  data_through: string;
  origin_date: string;
  caveat?: string;
  forecast: {date: string; mean: number; median: number; intervals: {lower: number; upper: number}[]}[];
}

/** GET /{model}/countries/{code}/probability */
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
export type Counts = 'daily' | 'cumulative';
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

/** One model's forecast for one country, with what was observed before it. */
export interface Series {
  model: string;
  version: string;
  code: string;
  name: string;
  unit: string;
  /** What is counted and by whom; empty if that is not known. */
  data: string;
  counts: Counts;
  /** What the model itself forecasts. */
  own: Counts;
  dataThrough: Day;
  origin: Day;
  caveat?: string;
  observed: ObservedDay[];
  forecast: ForecastDay[];
}

/** A model and a country that are looked at. */
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
  /** ISO 3166 alpha-3. Empty: the page chooses. */
  country: string;
  /** Comparisons: codes of countries (of this model) and names of models (for this country). */
  with: string[];
  /** null: what the model itself forecasts. */
  counts: Counts | null;
  /** null: the page chooses. */
  scale: 'linear' | 'log' | null;
  /** The observed days that the chart shows: the last four or eight weeks, or all. */
  past: '4w' | '8w' | 'all';
  side: 'above' | 'below';
  /** null: near the median. */
  threshold: number | null;
  /** ISO 8601. null: two weeks ahead. */
  date: string | null;
}

/** What the chart draws. */
export interface Drawing extends Pick<View, 'past'> {
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
