"""Questions to a run's selection, asked on the command line of a run with real parts."""

import re

import pytest
import yaml
from typer.testing import CliRunner

from dataengine import catalog
from dataengine.cli import app
from dataengine.errors import ManifestError, RunError
from dataengine.run import Run
from stages.select import Params, Select

FILTERS = [
    {"name": "clarity", "keep": "clarity >= 2.5", "note": "blurred pictures"},
    {"name": "size", "keep": "least(width, height) >= 200", "phase": 640},
    {"name": "words", "keep": "caption not like '%7%' and width < 550", "when_missing": "keep"},
]


@pytest.fixture
def run(make_run) -> Run:
    """Six samples, two of a language unknown, with a selection that has been made."""
    samples = [
        {"width": 200 + 100 * i, "caption": f"number {i}", "language": "en" if i < 4 else None, "category": "ab"[i % 2]}
        for i in range(6)
    ]
    run = make_run(samples, part=4, sharp={"clarity": [1.0, 2.0, 3.0, None, 5.0, 6.0]})
    select = {"phases": [256, 640], "filters": FILTERS}
    source = [{"name": "test", "stage": "folder", "path": "."}]
    manifest = {"name": "test", "collect": source, "select": {"stage": "select", **select}}
    run.fs.pipe_file(run.path("manifest.yaml"), yaml.safe_dump(manifest).encode())
    run.fs.pipe_file(run.path("run.json"), b"{}")
    return run


def ask(*arguments: str) -> str:
    found = CliRunner().invoke(app, list(arguments))
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.output


def row(output: str, first: str) -> list[str]:
    line = next(line for line in output.splitlines() if line.startswith(first))
    return re.split(r"\s{2,}", line.strip())


def test_why_shows_the_value_the_predicate_and_the_verdict_of_every_filter(run: Run):
    output = ask("why", run.url, "id0001")
    assert "number 1" in output
    assert "clarity = 2  " in output and "clarity >= 2.5" in output and "blurred pictures" in output
    lines = {name: next(x for x in output.splitlines() if f" {name} " in x) for name in ("clarity", "size", "words")}
    assert [lines[name].split().count("drop") for name in lines] == [1, 0, 0]
    assert "missing: drop" in ask("why", run.url, "id0003")


def test_a_sample_that_is_not_there_is_an_error(run: Run):
    with pytest.raises(RunError, match="no sample 'id9'"):
        ask("why", run.url, "id9")


def test_whatif_counts_what_other_thresholds_would_keep(run: Run):
    output = ask("whatif", run.url, "clarity=1.5", "words=true")
    assert row(output, "all") == ["all", "6", "1", "4", "+3 (+300.0%)", "1", "4", "+3 (+300.0%)"]
    assert row(output, "unknown")[:4] == ["unknown", "2", "0", "2"]
    assert row(output, "a ")[:4] == ["a", "3", "1", "2"]


def test_counts_are_those_that_selecting_would_make(run: Run):
    db = catalog.connect(run)
    for changes in ({}, {"clarity": "1.5"}, {"size": "400", "words": "width > 300"}):
        select = Select(0, Params(phases=[256, 640], filters=FILTERS)).moved(changes)
        counted = Select(0, Params(phases=[256, 640])).counts(db, ["language"], [select]).to_pylist()
        decided = select.rows(db).read_all().to_pylist()
        for phase in (256, 640):
            kept = sum(d["kept"] for d in decided if d["phase"] == phase)
            assert sum(c[f"kept_{phase}_1"] for c in counted) == kept
            assert sum(c[f"kept_{phase}_0"] for c in counted) == 6


def test_a_number_takes_the_place_of_the_only_one_outside_of_quotes():
    select = Select(0, Params(phases=[256, 640], filters=FILTERS))
    assert select.moved({"words": "-3.5"}).params.filters[2].keep == "caption not like '%7%' and width < -3.5"
    both = Select(0, Params(filters=[{"name": "both", "keep": "width > 3 and height > 4"}]))
    with pytest.raises(ManifestError, match="has 2 numbers"):
        both.moved({"both": "5"})


def test_a_rank_is_among_all_samples(run: Run):
    top = "words=percent_rank() over (partition by category order by width) >= 0.5"
    assert row(ask("whatif", run.url, top, "clarity=true"), "all")[3] == "4"
    select = Select(0, Params(filters=[{"name": "top", "keep": top.removeprefix("words=")}]))
    assert [select.explain(catalog.connect(run), f"id000{i}")["verdict"][0].as_py() for i in (0, 2, 4)] == [
        "drop",
        "keep",
        "keep",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("clarty=3", "did you mean 'clarity'"),
        ("clarity", "is no change"),
        ("clarity=sharpness > 3", "sharpness"),
        ("clarity=clarity", "not true or false"),
        ("clarity=caption::int > 3", "clarity.keep.*number 0"),
    ],
)
def test_a_change_that_means_nothing_is_an_error(run: Run, change: str, message: str):
    with pytest.raises(ManifestError, match=message):
        ask("whatif", run.url, change)
