# make demo: from nothing to a trained model and its report.   make test: every test.
# Both create the environment first, once: .venv, the system libraries, the corpus of texts.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUN := runs/quickstart

# Debian's names; `brew install pango node` has what is needed on macOS. Tesseract's languages (23 MB) are for the OCR of
# scripts that PaddleOCR's bundled model does not know: without them its tests are skipped.
LIBRARIES := libpango-1.0-0 libpangocairo-1.0-0 libpangoft2-1.0-0 libcairo2 libfontconfig1 libfribidi0 \
	libgl1 libglib2.0-0 \
	tesseract-ocr-ara tesseract-ocr-hin tesseract-ocr-kor tesseract-ocr-rus tesseract-ocr-tha
# paddlex asks for this OpenCV by name; the wheels of two others would overwrite it.
OPENCV := opencv-contrib-python==4.10.0.84

.PHONY: setup demo test lint format bench clean
setup: $(READY)

$(READY): pyproject.toml constraints.txt Makefile
	./setup/system-libraries $(LIBRARIES)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[engine,models,train,test]'
	$(BIN)/python -m pip uninstall --quiet --yes opencv-python opencv-python-headless opencv-contrib-python-headless
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps $(OPENCV)
	$(BIN)/python -m fonts.fetch
	$(BIN)/python -m stages.synthesize.words.corpus
	@touch $@

demo: setup
	$(BIN)/python -m demo.photographs build/quickstart
	$(BIN)/dataengine run manifests/quickstart.yaml --out $(RUN)
	$(BIN)/dataengine check $(RUN)
	$(BIN)/dataengine report $(RUN)
	@echo
	@echo "The run is in $(RUN), its report in $(RUN)/report.html. Try next:"
	@echo "  $(BIN)/dataengine stats $(RUN)"
	@echo "  $(BIN)/dataengine sql $(RUN) \"select dropped_by, reason from decisions where not kept\""
	@echo "  $(BIN)/dataengine sample $(RUN)/train \"a red motorcycle\" --out samples"

test: setup
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

clean:
	rm -rf $(VENV) build runs
