# Two commands are all the set-up there is: `make demo` and `make test`. Both are idempotent.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OHIF ?= ohif
OHIF_VERSION := 3.13.2
OHIF_SHA512 := 5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3deea3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10
TYPES := tests/service/desk/typescript
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=
# Processes that test, one per core; each file stays in one of them, with what its tests share.
WORKERS ?= auto

.PHONY: help demo test check check-viewer bench docs pictures licences ohif package sbom clean

help:
	@echo "make demo    install the runtime set (no torch) and show a ranked worklist; ARGS=--once prints it as JSON"
	@echo "make test    install the test and train extras and run the tests; ARGS='-k store' picks some, ARGS='-m \"not slow\"' the fast ones"
	@echo "make check   lint, format, types; make check-viewer: those of the viewer, with npm's typescript"
	@echo "make bench   studies per second through the worker, next to decode plus inference alone"
	@echo "make docs    the documentation as a site in site/, every link checked; ARGS=serve shows it while it is written"
	@echo "make pictures  the pictures of the documentation, from the demonstration's cases (needs Chromium)"
	@echo "make licences  what is installed: versions, licences, hashes; ARGS=--vulnerabilities asks pip-audit"
	@echo "make package   wheel and source archive in dist/, the same bytes for the same commit"
	@echo "make sbom      what the runtime set consists of, as CycloneDX, in dist/"
	@echo "make ohif    fetch the ready-built OHIF viewer into the folder ohif (MIT; never needed)"
	@echo "make clean   remove the environment"

demo: $(VENV)/.runtime
	@$(BIN)/overread demo $(ARGS)

test: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check-viewer: $(TYPES)/node_modules/.package-lock.json
	cd $(TYPES) && node_modules/.bin/tsc --project .

bench: $(VENV)/.runtime
	$(BIN)/python -m benchmarks.worker $(ARGS)

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=true $(BIN)/mkdocs $(if $(ARGS),$(ARGS),build --strict)

pictures: $(VENV)/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.screenshots $(ARGS)

# The ready-built OHIF viewer, to be served beside DICOMweb; never needed. OVERREAD_OHIF_FOLDER names its folder.
ohif: $(OHIF)/index.html

$(OHIF)/index.html:
	@command -v npm >/dev/null || { echo "npm is needed to fetch OHIF (Debian packages nodejs and npm)" >&2; exit 1; }
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	npm pack --silent --pack-destination "$$folder" @ohif/app@$(OHIF_VERSION) >/dev/null; \
	echo "$(OHIF_SHA512)  $$folder/ohif-app-$(OHIF_VERSION).tgz" | sha512sum --check --quiet; \
	mkdir -p $(OHIF); tar --extract --gzip --file "$$folder/ohif-app-$(OHIF_VERSION).tgz" --directory $(OHIF) \
	--strip-components 2 --exclude '*.map' --exclude 'package/dist/ort' package/dist
	@sed -i 's|__webpack_require__\.p = "/"|__webpack_require__.p = "/ohif/"|' $(OHIF)/*.js
	@sed -i 's|url(/|url(/ohif/|g' $(OHIF)/*.css
	@echo "OHIF $(OHIF_VERSION) is in $(OHIF); start the service with OVERREAD_OHIF_FOLDER=$(OHIF)"

licences: $(VENV)/.runtime
	@$(BIN)/overread licences $(ARGS)

package: $(VENV)/.test
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --no-isolation --outdir dist .

# The program that writes it has an environment of its own, so that it does not list itself.
sbom: $(VENV)/.runtime
	$(PYTHON) -m venv $(VENV)/sbom
	$(VENV)/sbom/bin/python -m pip --disable-pip-version-check --quiet install -c constraints.txt cyclonedx-bom
	mkdir -p dist
	$(VENV)/sbom/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible \
	    --output-file dist/overread.cdx.json

clean:
	rm -rf $(VENV) $(TYPES)/node_modules

$(VENV)/.docs: $(VENV)/.runtime
	@echo "installing the docs extra into $(VENV)" >&2
	$(PIP) install -c constraints.txt -e '.[docs]' >&2
	@touch $@

# The compiler that checks the types of the viewer's modules; nothing of it is shipped.
$(TYPES)/node_modules/.package-lock.json: $(TYPES)/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed for the types of the viewer (Debian packages nodejs and npm)" >&2; exit 1; }
	cd $(TYPES) && npm ci --no-audit --no-fund >&2
	@touch $@

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "overread needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing the runtime set into $(VENV) (about 0.5 GB, half a minute)" >&2
	$(PIP) install -c constraints.txt -e . >&2
	@touch $@

$(VENV)/.test: $(VENV)/.runtime
	@echo "installing the test and train extras into $(VENV)" >&2
	$(PIP) install -c constraints.txt -e '.[test,train]' >&2
	@touch $@
