# Two commands on a fresh machine: `make demo` and `make test`. They need Python 3.11 with pip, make and git.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := $(CURDIR)/.venv
INSTALLED := $(VENV)/.installed
PATIENTS ?= 400
SEED ?= 1

export PATH := $(VENV)/bin:$(PATH)
export VIRTUAL_ENV := $(VENV)
# Nothing is sent to anyone.
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED := False
export DBT_SEND_ANONYMOUS_USAGE_STATS := False
export GX_ANALYTICS_ENABLED := False
# Compiled code is kept even where the machine says otherwise: imports are half of what a small run takes.
unexport PYTHONDONTWRITEBYTECODE

# The demo's data home, and Airflow on its embedded default: SQLite metadata, local execution.
DATA_HOME := $(abspath $(or $(CLINIC_OUTCOMES_HOME),var))
demo airflow: export CLINIC_OUTCOMES_HOME := $(DATA_HOME)
demo airflow: export AIRFLOW_HOME := $(DATA_HOME)/airflow
demo airflow: export AIRFLOW__CORE__DAGS_FOLDER := $(CURDIR)/dags
demo airflow: export AIRFLOW__CORE__LOAD_EXAMPLES := False
demo airflow: export AIRFLOW__CORE__PARALLELISM := 2
demo airflow: export AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION := False
demo airflow: export AIRFLOW__API__HOST := 127.0.0.1

# Airflow says much: it goes to a log, of which the end is shown when something fails.
LOGS := $(DATA_HOME)/airflow/demo
quietly = echo "$(1)"; $(2) > $(LOGS)/$(3).log 2>&1 || { tail -n 60 $(LOGS)/$(3).log; echo "failed: $(1); see $(LOGS)/$(3).log"; exit 1; }

.PHONY: help install demo test prove lint airflow generated clean

help: ## Show what there is to make.
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*##/\t/'

install: $(INSTALLED) ## Install everything into .venv from the lock.

$(INSTALLED): uv.lock pyproject.toml
	[[ -x $(VENV)/bin/python ]] || $(PYTHON) -m venv $(VENV)
	[[ "$$($(VENV)/bin/uv --version 2>/dev/null)" == "uv $(UV_VERSION)"* ]] \
		|| $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(VENV)/bin/uv sync --frozen --inexact --quiet --compile-bytecode
	touch $@

demo: install ## Generate twelve clinics, run the DAGs through Airflow, and tell where the report lies.
	@mkdir -p $(LOGS)
	@echo "generating deliveries of $(PATIENTS) patients, seed $(SEED)"
	@clinic-outcomes generate --out $(DATA_HOME)/landing --patients $(PATIENTS) --seed $(SEED)
	@$(call quietly,preparing Airflow,airflow db migrate,db-migrate)
	@$(call quietly,running DAG clinic_exports,airflow dags test clinic_exports,clinic_exports)
	@$(call quietly,running DAG outcome_release (approval marked as given),airflow dags test outcome_release --mark-success-pattern approve,outcome_release)
	@clinic-outcomes status
	@test -f $(DATA_HOME)/releases/latest/network/index.html
	@echo "report: $(patsubst $(CURDIR)/%,%,$(DATA_HOME))/releases/latest/network/index.html"

test: install ## Run all tests.
	pytest -n 2 --dist loadfile

prove: install ## Protect and attack ten thousand generated table sets, and write docs/proof.md.
	python -m benchmarks.disclosure

lint: install ## Run the linters: ruff, sqlfluff, mypy.
	ruff check .
	ruff format --check .
	sqlfluff lint --processes 2 dbt_project
	mypy

airflow: install ## Leave the Airflow UI running on port 8080, with the DAGs to click through.
	@mkdir -p $(LOGS)
	airflow standalone

generated: install ## Generate again what follows from the contract.
	clinic-outcomes contract

clean: ## Remove the environment, caches and var/, with all data in it.
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache dbt_project/target dbt_project/logs
