-- A store in PostgreSQL as it was written before Alembic: pg_dump --inserts, with rows in every table.
CREATE TABLE public.fitted (
    version_id bigint NOT NULL,
    country character varying(3) NOT NULL,
    first_day date NOT NULL,
    counts json NOT NULL,
    total bigint NOT NULL
);
CREATE TABLE public.forecasts (
    version_id bigint NOT NULL,
    country character varying(3) NOT NULL,
    counts character varying(10) NOT NULL,
    origin_date date NOT NULL,
    answer json NOT NULL,
    mean json NOT NULL,
    quantiles json NOT NULL
);
CREATE TABLE public.observations (
    id bigint NOT NULL,
    date date NOT NULL,
    country character varying(3) NOT NULL,
    cases bigint,
    deaths bigint,
    population bigint,
    receipt_id bigint NOT NULL
);
CREATE SEQUENCE public.observations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.observations_id_seq OWNED BY public.observations.id;
CREATE TABLE public.progress (
    version_id bigint NOT NULL,
    revision bigint NOT NULL
);
CREATE TABLE public.receipts (
    id bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    source text NOT NULL,
    rows integer NOT NULL,
    through date NOT NULL
);
CREATE SEQUENCE public.receipts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.receipts_id_seq OWNED BY public.receipts.id;
CREATE TABLE public.scores (
    version_id bigint NOT NULL,
    country character varying(3) NOT NULL,
    horizon smallint NOT NULL,
    revision bigint NOT NULL,
    date date NOT NULL,
    observed double precision NOT NULL,
    wis double precision NOT NULL,
    wis_naive double precision,
    bias double precision NOT NULL,
    "interval" double precision NOT NULL,
    superseded boolean NOT NULL
);
CREATE TABLE public.state (
    id integer NOT NULL,
    schema_version integer NOT NULL,
    written_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.state_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.state_id_seq OWNED BY public.state.id;
CREATE TABLE public.versions (
    id bigint NOT NULL,
    model character varying(63) NOT NULL,
    version text NOT NULL,
    target text NOT NULL,
    unit text NOT NULL,
    cumulative boolean NOT NULL,
    data_through date NOT NULL,
    first_date date NOT NULL,
    last_date date NOT NULL,
    trained_at timestamp with time zone NOT NULL,
    issued_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.versions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.versions_id_seq OWNED BY public.versions.id;
ALTER TABLE ONLY public.observations ALTER COLUMN id SET DEFAULT nextval('public.observations_id_seq'::regclass);
ALTER TABLE ONLY public.receipts ALTER COLUMN id SET DEFAULT nextval('public.receipts_id_seq'::regclass);
ALTER TABLE ONLY public.state ALTER COLUMN id SET DEFAULT nextval('public.state_id_seq'::regclass);
ALTER TABLE ONLY public.versions ALTER COLUMN id SET DEFAULT nextval('public.versions_id_seq'::regclass);
INSERT INTO public.fitted VALUES (1, 'GBR', '2020-04-15', '[10,10,10,10,10,10,10,10,10,null]', 1000);
INSERT INTO public.fitted VALUES (1, 'FRA', '2020-04-15', '[10,10,10,10,10,10,10,10,10,null]', 1000);
INSERT INTO public.fitted VALUES (2, 'GBR', '2020-04-15', '[910,920,930,940,950,960,970,980,990,1000]', 1000);
INSERT INTO public.fitted VALUES (2, 'FRA', '2020-04-15', '[910,920,930,940,950,960,970,980,990,1000]', 1000);
INSERT INTO public.forecasts VALUES (1, 'GBR', 'daily', '2020-04-24', '{"country":"GBR","counts":"daily","target":"daily deaths","forecast":null}', '[11.0,11.0]', '[[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20.0,21.0,22.0],[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20.0,21.0,22.0]]');
INSERT INTO public.forecasts VALUES (1, 'FRA', 'daily', '2020-04-24', '{"country":"FRA","counts":"daily","target":"daily deaths","forecast":null}', '[11.0,11.0]', '[[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20.0,21.0,22.0],[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20.0,21.0,22.0]]');
INSERT INTO public.forecasts VALUES (1, 'GBR', 'cumulative', '2020-04-24', '{"country":"GBR","counts":"cumulative","target":"daily deaths","forecast":null}', '[1011.0,1011.0]', '[[1000.0,1001.0,1002.0,1003.0,1004.0,1005.0,1006.0,1007.0,1008.0,1009.0,1010.0,1011.0,1012.0,1013.0,1014.0,1015.0,1016.0,1017.0,1018.0,1019.0,1020.0,1021.0,1022.0],[1000.0,1001.0,1002.0,1003.0,1004.0,1005.0,1006.0,1007.0,1008.0,1009.0,1010.0,1011.0,1012.0,1013.0,1014.0,1015.0,1016.0,1017.0,1018.0,1019.0,1020.0,1021.0,1022.0]]');
INSERT INTO public.forecasts VALUES (1, 'FRA', 'cumulative', '2020-04-24', '{"country":"FRA","counts":"cumulative","target":"daily deaths","forecast":null}', '[1011.0,1011.0]', '[[1000.0,1001.0,1002.0,1003.0,1004.0,1005.0,1006.0,1007.0,1008.0,1009.0,1010.0,1011.0,1012.0,1013.0,1014.0,1015.0,1016.0,1017.0,1018.0,1019.0,1020.0,1021.0,1022.0],[1000.0,1001.0,1002.0,1003.0,1004.0,1005.0,1006.0,1007.0,1008.0,1009.0,1010.0,1011.0,1012.0,1013.0,1014.0,1015.0,1016.0,1017.0,1018.0,1019.0,1020.0,1021.0,1022.0]]');
INSERT INTO public.forecasts VALUES (2, 'GBR', 'daily', '2020-04-24', '{"country":"GBR","counts":"daily","target":"cumulative deaths","forecast":null}', '[11.0,11.0]', '[[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20.0,21.0,22.0],[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20.0,21.0,22.0]]');
INSERT INTO public.forecasts VALUES (2, 'FRA', 'daily', '2020-04-24', '{"country":"FRA","counts":"daily","target":"cumulative deaths","forecast":null}', '[11.0,11.0]', '[[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20.0,21.0,22.0],[0.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,10.0,11.0,12.0,13.0,14.0,15.0,16.0,17.0,18.0,19.0,20.0,21.0,22.0]]');
INSERT INTO public.forecasts VALUES (2, 'GBR', 'cumulative', '2020-04-24', '{"country":"GBR","counts":"cumulative","target":"cumulative deaths","forecast":null}', '[1011.0,1011.0]', '[[1000.0,1001.0,1002.0,1003.0,1004.0,1005.0,1006.0,1007.0,1008.0,1009.0,1010.0,1011.0,1012.0,1013.0,1014.0,1015.0,1016.0,1017.0,1018.0,1019.0,1020.0,1021.0,1022.0],[1000.0,1001.0,1002.0,1003.0,1004.0,1005.0,1006.0,1007.0,1008.0,1009.0,1010.0,1011.0,1012.0,1013.0,1014.0,1015.0,1016.0,1017.0,1018.0,1019.0,1020.0,1021.0,1022.0]]');
INSERT INTO public.forecasts VALUES (2, 'FRA', 'cumulative', '2020-04-24', '{"country":"FRA","counts":"cumulative","target":"cumulative deaths","forecast":null}', '[1011.0,1011.0]', '[[1000.0,1001.0,1002.0,1003.0,1004.0,1005.0,1006.0,1007.0,1008.0,1009.0,1010.0,1011.0,1012.0,1013.0,1014.0,1015.0,1016.0,1017.0,1018.0,1019.0,1020.0,1021.0,1022.0],[1000.0,1001.0,1002.0,1003.0,1004.0,1005.0,1006.0,1007.0,1008.0,1009.0,1010.0,1011.0,1012.0,1013.0,1014.0,1015.0,1016.0,1017.0,1018.0,1019.0,1020.0,1021.0,1022.0]]');
INSERT INTO public.observations VALUES (1, '2020-04-25', 'FRA', NULL, NULL, NULL, 1);
INSERT INTO public.observations VALUES (2, '2020-04-25', 'GBR', NULL, 11, NULL, 1);
INSERT INTO public.observations VALUES (3, '2020-04-26', 'GBR', NULL, 40, NULL, 1);
INSERT INTO public.observations VALUES (4, '2020-04-25', 'FRA', 70, 9, 65000000, 2);
INSERT INTO public.observations VALUES (5, '2020-04-25', 'GBR', NULL, 12, NULL, 2);
INSERT INTO public.progress VALUES (1, 5);
INSERT INTO public.progress VALUES (2, 5);
INSERT INTO public.receipts VALUES (1, '2020-04-25 06:00:00+00', 'a file', 3, '2020-04-26');
INSERT INTO public.receipts VALUES (2, '2020-04-26 06:00:00+00', 'POST', 2, '2020-04-26');
INSERT INTO public.scores VALUES (1, 'GBR', 2, 3, '2020-04-26', 40, 24.758260869565216, 30, -1, 1, false);
INSERT INTO public.scores VALUES (1, 'GBR', 1, 2, '2020-04-25', 11, 1.497391304347826, 0.9999999999999999, 0, 0, true);
INSERT INTO public.scores VALUES (1, 'FRA', 1, 4, '2020-04-25', 9, 1.671304347826087, 1, 0.19999999999999996, 0.2, false);
INSERT INTO public.scores VALUES (1, 'GBR', 1, 5, '2020-04-25', 12, 1.5408695652173912, 1.9999999999999998, -0.10000000000000009, 0.1, false);
INSERT INTO public.scores VALUES (2, 'GBR', 1, 2, '2020-04-25', 1011, 1.497391304347826, 0.9999999999999999, 0, 0, true);
INSERT INTO public.scores VALUES (2, 'GBR', 2, 3, '2020-04-26', 1051, 35.75826086956521, 31, -1, 1, true);
INSERT INTO public.scores VALUES (2, 'FRA', 1, 4, '2020-04-25', 1009, 1.671304347826087, 1, 0.19999999999999996, 0.2, false);
INSERT INTO public.scores VALUES (2, 'GBR', 1, 5, '2020-04-25', 1012, 1.5408695652173912, 1.9999999999999998, -0.10000000000000009, 0.1, false);
INSERT INTO public.scores VALUES (2, 'GBR', 2, 5, '2020-04-26', 1052, 36.75826086956521, 31.999999999999996, -1, 1, false);
INSERT INTO public.state VALUES (1, 1, '2020-04-26 06:00:00+00');
INSERT INTO public.versions VALUES (1, 'flu', '2020-04-24-0000000a', 'daily deaths', 'deaths', false, '2020-04-24', '2020-04-25', '2020-04-26', '2020-04-25 06:00:00+00', '2020-04-25 06:00:00+00');
INSERT INTO public.versions VALUES (2, 'cold', '2020-04-24-0000000a', 'cumulative deaths', 'deaths', true, '2020-04-24', '2020-04-25', '2020-04-26', '2020-04-25 06:00:00+00', '2020-04-25 06:00:00+00');
SELECT pg_catalog.setval('public.observations_id_seq', 5, true);
SELECT pg_catalog.setval('public.receipts_id_seq', 2, true);
SELECT pg_catalog.setval('public.state_id_seq', 1, false);
SELECT pg_catalog.setval('public.versions_id_seq', 2, true);
ALTER TABLE ONLY public.fitted
    ADD CONSTRAINT fitted_pkey PRIMARY KEY (version_id, country);
ALTER TABLE ONLY public.forecasts
    ADD CONSTRAINT forecasts_pkey PRIMARY KEY (version_id, country, counts);
ALTER TABLE ONLY public.observations
    ADD CONSTRAINT observations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (version_id);
ALTER TABLE ONLY public.receipts
    ADD CONSTRAINT receipts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.scores
    ADD CONSTRAINT scores_pkey PRIMARY KEY (version_id, country, horizon, revision);
ALTER TABLE ONLY public.state
    ADD CONSTRAINT state_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_model_version_key UNIQUE (model, version);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);
CREATE INDEX ix_observations_date_country_id ON public.observations USING btree (date, country, id);
CREATE INDEX ix_observations_receipt_id ON public.observations USING btree (receipt_id);
CREATE INDEX ix_scores_date ON public.scores USING btree (date);
ALTER TABLE ONLY public.fitted
    ADD CONSTRAINT fitted_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.forecasts
    ADD CONSTRAINT forecasts_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.observations
    ADD CONSTRAINT observations_receipt_id_fkey FOREIGN KEY (receipt_id) REFERENCES public.receipts(id);
ALTER TABLE ONLY public.progress
    ADD CONSTRAINT progress_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.scores
    ADD CONSTRAINT scores_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
