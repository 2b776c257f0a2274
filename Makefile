# Every command of Forecastle; `make` alone lists them.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

export PORT ?= 8080
MODEL ?=
FILE ?=
DEATHS ?=
SINCE ?=
UNTIL ?=
URL ?= http://localhost:$(PORT)
INCUMBENT ?=
UPGRADE ?=
ARTIFACT ?=
KIND ?= forecast
STOP ?=
HUB ?=
OUTPUT ?=
REFERENCE ?=
BASE ?=
VINTAGES ?=

# A name that the terminal's encoding lacks is written in ASCII.
export PYTHONIOENCODING ?= :backslashreplace

VENV := .venv
PY := $(VENV)/bin/python
# As forecastle.project.compose finds them, reserved names aside.
MODELS := $(sort $(shell for model in $$(ls models | grep -Ex '[a-z][a-z0-9]*(-[a-z0-9]+)*'); do \
	[ -f models/$$model/main.py ] && echo $$model; done))
# A target that takes MODEL= is about that model, or about all: ensembles after their members.
ENSEMBLES := $(patsubst models/%/members,%,$(wildcard models/*/members))
CHOSEN := $(or $(MODEL),$(filter-out $(ENSEMBLES),$(MODELS)) $(filter $(ENSEMBLES),$(MODELS)))
DATA := $(or $(FORECASTLE_DATA),$(wildcard data/current.csv),data/first-wave-2020.csv)
# Nothing of Forecastle's style is asked of a model that imports nothing of it.
PLAIN = $(shell for model in $(MODELS); do grep -qs forecastle models/$$model/*.py || echo models/$$model; done)
# Where retraining finds new data.
NEWEST = --url "$(URL)" --file "$(FILE)" --deaths "$(DEATHS)" --since "$(SINCE)" --until "$(UNTIL)"
# Of all models; the packages that a model alone needs get an environment of their own (project/environment.py).
# `make run` answers with the first ones, and has the others installed meanwhile.
SERVING := shared/requirements.txt shared/forecastle/catalogue/requirements.txt shared/forecastle/project/requirements.txt
LOCKS := $(SERVING) shared/requirements-train.txt shared/requirements-gate.txt
INSTALL = PYTHONPATH=shared $(PY) -m forecastle.project.packages $@
# With ARTIFACT= its model is not trained. What fetches it is installed when it is first named.
FETCH := $(if $(ARTIFACT),$(VENV)/fetch)
GIVEN := $(if $(ARTIFACT),$(MODEL))
# What checks the page's JavaScript; npm writes the file when it has installed it all.
JAVASCRIPT := tests/javascript
NODE_MODULES := $(JAVASCRIPT)/node_modules/.package-lock.json

# The environment of another checkout, which was copied with this one, has the other's library in it.
ifneq ($(filter-out $(CURDIR),$(shell cat $(VENV)/checkout 2>/dev/null)),)
$(shell rm -f $(VENV)/serve)
endif

.PHONY: help run train backtest compare retrain shadow promote test lint build changed push up down logs data observe hub-submission new compose lock clean known-model javascript

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "models: $(or $(MODELS),none yet; 'make new MODEL=name' makes one)"
	@echo "data:   $(DATA)"

run: $(VENV)/serve $(FETCH) ## serve all models at localhost:PORT (8080) at once, train what has no current artifact; no Docker. ARTIFACT= is served as MODEL='s
	@$(if $(ARTIFACT),$(PY) -m forecastle.project.local_gateway --port "$(PORT)" --check && \
		$(PY) -m forecastle.project.given "$(MODEL)" "$$ARTIFACT")
	@exec $(PY) -m forecastle.project.local_gateway --install --port "$(PORT)" $(GIVEN:%=--given %)

train: known-model $(VENV)/run ## fit MODEL= (or all) to the data in use
	@$(PY) -m forecastle.project.train $(CHOSEN)

backtest: known-model $(VENV)/run ## score forecasts of many past days by MODEL= (or all, and compare them): tables, backtest.json, the card. VINTAGES=: as known then
ifneq ($(VINTAGES),)
	@$(if $(MODEL),,echo "say with MODEL= of which model VINTAGES= are the data" >&2; exit 1)
	@$(PY) models/$(MODEL)/train.py --vintages $(VINTAGES)
else
	@set -e; for model in $(CHOSEN); do \
		$(PY) -m forecastle.project.train --stale $$model; \
		$(PY) models/$$model/train.py --backtest; done
	@$(if $(MODEL),,$(PY) -m forecastle.project.pairwise)
endif

compare: known-model $(VENV)/run ## compare MODEL= with its variants or rivals, if its folder has a compare.py
	@$(if $(wildcard models/$(MODEL)/compare.py),,echo "say which with MODEL=: there is a compare.py in" \
		$(patsubst models/%/compare.py,%,$(wildcard models/*/compare.py)) >&2; exit 1)
	@$(PY) models/$(MODEL)/compare.py

# Each of them, even if one is refused.
retrain: known-model $(VENV)/run ## refit MODEL= (or all) to what the gateway at URL= received (or FILE=): the better one stays
	@failed=; for model in $(CHOSEN); do \
		$(PY) -u -m forecastle.project.retraining $$model $(NEWEST) --incumbent "$(INCUMBENT)" || failed=1; done; test -z "$$failed"

shadow: known-model $(VENV)/run ## run a refit of MODEL= unseen beside it, to be scored on the same days; STOP=1 ends that
	@$(if $(MODEL),,echo "say which model with MODEL=: one of $(MODELS)" >&2; exit 1)
	@$(PY) -u -m forecastle.project.retraining.shadow $(MODEL) $(if $(STOP),--stop,$(NEWEST))

promote: known-model $(VENV)/run ## let the shadow of MODEL= serve in its place
	@$(if $(MODEL),,echo "say which model with MODEL=: one of $(MODELS)" >&2; exit 1)
	@$(PY) -u -m forecastle.project.retraining.shadow $(MODEL) --promote

test: $(VENV)/test ## every test, or those that PYTEST= names; those against real containers if a Docker Engine answers
ifdef PYTEST
	$(PY) -m pytest $(PYTEST)
else
	@$(PY) tests/run.py
endif
	@docker version >/dev/null 2>&1 || echo "No Docker Engine answers: tests/e2e was left out."

lint: javascript $(VENV)/test ## ruff, codespell, mypy, import-linter, tsc, Biome, and docker/models.yml against the folders of models/
	$(PY) -m ruff check . $(PLAIN:%=--exclude %)
	$(PY) -m ruff format --check . $(PLAIN:%=--exclude %)
	@test -z "$(PLAIN)" || $(PY) -m ruff check --isolated --select F $(PLAIN)
	$(PY) -m codespell_lib $$(git ls-files)
	$(PY) $(VENV)/bin/lint-imports --no-logo
	$(PY) -m mypy shared
	@set -e; for model in $(filter-out $(PLAIN),$(MODELS:%=models/%)); do echo "mypy $$model"; $(PY) -m mypy $$model; done
	$(PY) -m forecastle.project.compose --check

build: ## the serving image of MODEL= (or all images); training happens in the build. ARTIFACT= is taken instead
	@docker/build.sh $(strip $(MODEL))

changed: $(PY) ## the models whose image a change touches: of what differs from BASE=, such as origin/main
	@PYTHONPATH=shared $(PY) -m forecastle.project.changed --base="$(BASE)" --data="$(DATA)"

push: $(PY) ## push the built images of MODEL= (or all, with gateway and catalogue) to REGISTRY=, and print their digests
	@PYTHONPATH=shared $(PY) -m forecastle.project.push $(strip $(MODEL))

up: build ## build what is not up to date, start everything (COMPOSE_PROFILES=monitoring: that, too), wait for health
	docker compose up --detach --wait

down: ## stop everything
	docker compose --profile '*' down

logs: ## follow the logs of everything, or of MODEL=
	docker compose logs --follow $(MODEL)

data: $(VENV)/serve ## use FILE= (path or address; DEATHS=, SINCE=, UNTIL=) from now on; alone: the default again
	@$(PY) -c 'import sys; from forecastle.observations.in_use import main; sys.exit(main())' --file "$(FILE)" --deaths "$(DEATHS)" --since "$(SINCE)" --until "$(UNTIL)"

observe: $(VENV)/run ## send FILE= (as `make data` takes it) to the gateway at URL=, with the key in OBSERVATIONS_KEY
	@$(PY) -m forecastle.project.send_observations --file "$(FILE)" --deaths "$(DEATHS)" --since "$(SINCE)" --until "$(UNTIL)" --url "$(URL)"

hub-submission: known-model $(VENV)/run ## the forecast of MODEL= as the forecast hub HUB= takes it (its folder or tasks.json): a CSV file, validated
	@$(if $(MODEL),,echo "say which model with MODEL=: one of $(MODELS)" >&2; exit 1)
	@$(PY) -m forecastle.project.hub $(MODEL) --hub "$(HUB)" --output "$(OUTPUT)" --reference "$(REFERENCE)"

new: $(PY) ## a folder models/MODEL from a template (KIND=plain: no forecast), and its service in docker/models.yml
	@PYTHONPATH=shared $(PY) -m forecastle.project.compose --new="$(MODEL)" --kind="$(KIND)"

compose: $(PY) ## write docker/models.yml, a service for each folder of models/, and docker/ensembles/
	@PYTHONPATH=shared $(PY) -m forecastle.project.compose

lock: $(VENV)/lock ## pin requirements*.in (of MODEL=, or all) with hashes; UPGRADE=1 moves the pins that fit
	@PYTHONPATH=shared $(PY) -m forecastle.project.lock --model "$(MODEL)" $(if $(UPGRADE),--upgrade)

clean: ## remove the environment, caches and artifacts
	rm -rf $(VENV) .cache .*_cache .hypothesis $(JAVASCRIPT)/node_modules models/*/artifact models/*/artifact.*
	find . -name __pycache__ -prune -exec rm -rf {} +

known-model:
	@$(if $(filter-out $(MODELS),$(MODEL)),echo "there is no model $(MODEL) in models/: choose one of $(MODELS)" >&2; exit 1)

# Without npm the rest of `make lint` goes on; but not in CI, which would pass what it did not check.
javascript:
	@if command -v npm >/dev/null; then \
		$(MAKE) --silent --no-print-directory $(NODE_MODULES) && npm run --silent --prefix $(JAVASCRIPT) lint; \
	else \
		echo "JavaScript was not checked, since there is no npm: install it (apt install npm)" >&2; test -z "$$CI"; \
	fi

$(VENV)/serve: $(SERVING) | $(PY)
	@$(PY) -c 'import pathlib, sysconfig; \
		pathlib.Path(sysconfig.get_path("purelib"), "forecastle.pth").write_text("$(CURDIR)/shared\n"); \
		pathlib.Path("$(VENV)/checkout").write_text("$(CURDIR)\n")'
	@$(INSTALL) "what serving needs" --quick $(SERVING)

$(VENV)/run: $(LOCKS) | $(VENV)/serve
	@$(INSTALL) "what training needs" $(LOCKS)

# With what tests the artifact.
$(VENV)/fetch: shared/requirements-fetch.txt shared/requirements-gate.txt | $(VENV)/serve
	@$(INSTALL) "what fetches an artifact" $^

$(VENV)/test: tests/requirements.txt shared/requirements-fetch.txt | $(VENV)/run
	@$(INSTALL) "what the tests need" $^

# uv alone: locks that conflict cannot be installed, and are to be mended.
$(VENV)/lock: tests/requirements.txt | $(PY)
	@sed -n '/^uv==/,/[^\\]$$/p' $< > $@.part
	@$(INSTALL) "what pins packages" $@.part
	@rm $@.part

$(NODE_MODULES): $(JAVASCRIPT)/package.json $(JAVASCRIPT)/package-lock.json
	@echo "installing what checks JavaScript into $(JAVASCRIPT)/node_modules"
	@npm ci --no-audit --no-fund --no-update-notifier --loglevel=error --prefix $(JAVASCRIPT) >/dev/null

# The first Python of 3.12 or newer, also one that lies only in a pyenv. PYTHON= names another.
$(PY):
	@for python in $(PYTHON) python3.13 python3.14 python3.12 python3 python \
			$$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/*/bin/python 2>/dev/null | sort -rV); do \
		if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
			exec "$$python" -m venv --clear $(VENV) --without-pip; \
		fi; \
	done; \
	echo "Python 3.12 or newer, with venv, is needed: install it (apt install python3.13-venv, brew install" \
		"python@3.13, pyenv install 3.13), or name one with PYTHON=" >&2; exit 1
