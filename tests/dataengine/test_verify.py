"""The index of a set: complete, in order, the same however it was drawn; and drawing again finds what differs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dataengine import schema, verify
from dataengine.errors import RunError
from dataengine.run import Run
from dataengine.sample import Paragraph, Sample, Spans, samples_table

OWN_STAGES = Path(__file__).with_name("own_stages")
COUNT = 14


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sets")


@pytest.fixture(scope="module")
def synth(folder: Path):
    """Runs `dataengine synth` on a manifest of one source of stripes."""
    manifest = folder / "manifest.yaml"
    entry = {"stage": "stripes:Stripes", "name": "stripes", "count": COUNT, "refuses": 5}
    manifest.write_text(yaml.safe_dump({"name": "own", "parts": {"samples": 4}, "synthesize": [entry]}))

    def go(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "dataengine.cli", "synth", str(manifest), *arguments],
            capture_output=True,
            text=True,
            timeout=180,
            env={**os.environ, "PYTHONPATH": str(OWN_STAGES)},
        )

    return go


@pytest.fixture(scope="module")
def whole(folder: Path, synth) -> Path:
    done = synth("--out", str(folder / "whole"))
    assert done.returncode == 0, done.stderr
    return folder / "whole"


def rows(out: Path) -> list[dict]:
    return pq.read_table(out / "index.parquet").to_pylist()


def test_the_index_has_a_row_an_index_in_order_and_the_versions_of_what_drew_it(whole: Path):
    table, versions = verify.read_index(str(whole))
    assert table.schema.equals(schema.SET_INDEX) and versions == {"stripes": "1"}
    assert table["index"].to_pylist() == list(range(COUNT))
    samples = {r["uri"]: r for part in Run(str(whole)).files("samples") for r in pq.read_table(part).to_pylist()}
    for row in table.to_pylist():
        if row["index"] == 5:
            assert row["refused"] == "no stripes at 5"
            assert row["sample_id"] is row["digest"] is row["text_digest"] is row["caption_digest"] is None
        else:
            sample = samples[row["uri"]]
            assert row["sample_id"] == sample["sample_id"] and row["refused"] is None
            assert row["digest"] == verify._digest(sample["image"]["bytes"])
    digests = [r[k] for r in rows(whole) if r["refused"] is None for k in ("digest", "text_digest", "caption_digest")]
    assert len(set(digests)) == len(digests) == 3 * (COUNT - 1)


def test_ranges_joined_are_the_whole_with_one_worker_and_other_parts(folder: Path, synth, whole: Path):
    joined = []
    for start, count in ((0, 6), (6, 8)):
        out = folder / f"range-{start}"
        done = synth(
            *("--out", str(out), "--start", str(start), "--count", str(count)),
            *("--workers", "1", "--set", "parts.samples=100"),
        )
        assert done.returncode == 0, done.stderr
        joined += rows(out)
    assert joined == rows(whole)


def test_an_index_that_stands_is_kept_and_one_that_is_gone_is_written_with_the_same_bytes(synth, whole: Path):
    index = whole / "index.parquet"
    content = index.read_bytes()
    index.unlink()
    assert synth("--out", str(whole), "--workers", "1").returncode == 0
    assert index.read_bytes() == content
    written = index.stat().st_mtime_ns
    assert synth("--out", str(whole)).returncode == 0
    assert index.stat().st_mtime_ns == written


def test_what_is_drawn_again_agrees(synth, whole: Path):
    done = synth("--verify", str(whole), "--start", "4", "--count", "6")
    assert done.returncode == 0, done.stderr
    assert "6 of 6 drawn again agree" in done.stdout and "versions" not in done.stdout


def test_what_differs_is_named_with_the_versions_and_the_exit_code_is_one(synth, whole: Path):
    changes = ("size=13", "refuses=7", "release=two")
    settings = [word for change in changes for word in ("--set", f"synthesize.stripes.{change}")]
    done = synth("--verify", str(whole / "index.parquet"), *settings)
    assert done.returncode == 1
    assert f"0 of {COUNT} drawn again agree" in done.stdout and f"{COUNT} of {COUNT} differ" in done.stderr
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert ["6", "set://stripes/0/6", "text"] in [[word.strip() for word in line] for line in lines]
    assert "refused: no stripes at 7" in done.stdout and "drawn, was refused: no stripes at 5" in done.stdout
    assert ["stripes", "1", "two"] in [[word.strip() for word in line] for line in lines]


def test_each_kind_of_difference_is_told_apart():
    def indexed(**changes: object) -> pa.Table:
        texts = Spans(["a"], np.zeros((1, 8), np.float32))
        one = Paragraph("a", "en", "Latn", "F", 9.0, 0, texts, texts, texts)
        values = {"encoded": b"x", "caption": "an a", "text": [one], **changes}
        made = Sample("id", "s", "set://s/0/3", format="png", width=1, height=1, **values)
        return verify._table(verify._drawn(samples_table([made])))

    was = indexed()
    refused = verify._table([verify._row("s", "set://s/0/3", "too long")])
    elsewhere = verify._table([verify._row("s", "set://s/0/4", "too long")])
    cases = {
        "image": indexed(encoded=b"y"),
        "text": indexed(text=[]),
        "caption": indexed(caption=None),
        "image, caption": indexed(encoded=b"y", caption="b"),
        "refused: too long": refused,
        "not drawn": elsewhere,
    }
    for what, now in cases.items():
        assert verify._differences(was, now) == [(3, "set://s/0/3", what)]
    assert verify._differences(was, indexed()) == verify._differences(refused, refused) == []
    assert verify._differences(refused, was) == [(3, "set://s/0/3", "drawn, was refused: too long")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--out FOLDER"),
        (("--out", "x", "--start", "3"), "give --count as well"),
        (("--verify", "nowhere"), "no index can be read there"),
        (("--verify", "{whole}", "--start", "99"), "it has 0 to 13"),
        (("--verify", "{whole}", "--set", "synthesize.stripes.name=others"), "it has stripes"),
    ],
)
def test_what_cannot_be_verified_is_a_message(synth, whole: Path, arguments: tuple[str, ...], said: str):
    done = synth(*(a.format(whole=whole) for a in arguments))
    assert done.returncode in (1, 2)
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_file_that_is_no_index_is_refused(tmp_path: Path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "index.parquet")
    with pytest.raises(RunError, match=r"not the index of a text set: it has the columns \['a'\]"):
        verify.read_index(str(tmp_path))


def annotated(**changes: object) -> Sample:
    lines = Spans(["ab c"], np.arange(8, dtype=np.float32)[None])
    letters = Spans(list("abc"), np.arange(24, dtype=np.float32).reshape(3, 8))
    values = {"content": "ab c", "language": "en", "script": "Latn", "font": "F", "size": 9.0, "order": 0}
    one = Paragraph(**{**values, "lines": lines, "words": lines, "characters": letters, **changes})
    return Sample("id", "s", "u", b"x", "png", 1, 1, text=[one])


def digests(*samples: Sample) -> list[str]:
    return list(verify._text_digests(samples_table(samples)["text"]))


@pytest.mark.parametrize(
    "change",
    [
        {"content": "ab  c"},
        {"language": None},
        {"font": "G"},
        {"size": 9.5},
        {"order": 1},
        {"words": Spans(["abc"], np.arange(8, dtype=np.float32)[None])},
        {"words": Spans(["ab c"], np.arange(1, 9, dtype=np.float32)[None])},
        {"characters": Spans(["a", "bc", ""], np.arange(24, dtype=np.float32).reshape(3, 8))},
        {"characters": Spans([], np.empty((0, 8), np.float32))},
    ],
)
def test_any_change_of_an_annotation_changes_its_digest(change: dict):
    assert digests(annotated(**change)) != digests(annotated())


def test_an_annotation_has_one_digest_whatever_stands_beside_it():
    bare = Sample("id", "s", "u", b"x", "png", 1, 1)
    first, second, third = digests(annotated(size=3.0), annotated(), bare)
    assert [first] == digests(annotated(size=3.0)) and [second] == digests(annotated()) and [third] == digests(bare)
    assert len({first, second, third}) == 3
    sliced = samples_table([bare, annotated(), annotated(size=3.0)])["text"].combine_chunks().slice(1, 1)
    assert list(verify._text_digests(sliced)) == [second]


def test_a_text_set_tells_the_versions_of_what_draws_it(tmp_path: Path):
    from fonts import catalog
    from stages.synthesize.versions import versions

    told = versions(catalog.for_language("en"))
    assert {"pango", "cairo", "harfbuzz", "freetype", "fontconfig", "jpeg", "numpy"} <= told.keys()
    assert all(told.values()) and json.loads(json.dumps(told)) == told
    assert sum(name.startswith("font ") for name in told) == len(catalog.for_language("en"))
