"""The main job on real photographs and real text, and what stands at its end for other tools."""

import io
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import polars
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from dataengine import books, catalog
from dataengine.run import Run
from demo.photographs import gather

LANGUAGES = {"ar", "de", "en", "he", "hi", "ja", "ko", "ru", "th", "vi", "zh-Hans", "zh-Hant"}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Run:
    """The quickstart's data, its OCR left out for speed, with a set of 36 pages and a few steps of training."""
    folder = tmp_path_factory.mktemp("main")
    gather(folder / "data")
    manifest = yaml.safe_load(Path("manifests/quickstart.yaml").read_text())
    manifest["collect"][0]["path"] = str(folder / "data" / "photos.jsonl")
    manifest["collect"][1]["path"] = str(folder / "data" / "found")
    manifest["synthesize"][0]["count"] = 36
    manifest["measure"].remove("ocr")
    text = ("intensive_text", "small_character")
    manifest["select"]["filters"] = [f for f in manifest["select"]["filters"] if f["name"] not in text]
    best = {"share": 0.8, "by": "clarity", "within": "category"}
    manifest["select"]["filters"].append({"name": "best_of_class", "phase": 512, "top": best})
    training = yaml.safe_load(Path("manifests/train/quickstart.yaml").read_text())
    training["steps"] = 12
    (folder / "train.yaml").write_text(yaml.safe_dump(training))
    manifest["train"] = str(folder / "train.yaml")
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    out = folder / "run"
    ended = subprocess.run(
        [sys.executable, "-m", "dataengine.cli", "run", str(folder / "manifest.yaml"), "--out", str(out)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Run(str(out))


def test_the_books_balance(done):
    findings = list(books.check(done))
    assert len(findings) >= 8
    assert [f for f in findings if f.broken] == []


@pytest.mark.parametrize(
    ("file", "filter"),
    [
        ("tiny.jpg", "file_size"),
        ("microaneurysms.png", "resolution"),
        ("copy of flower.jpg", "duplicate"),
        ("china re-encoded.jpg", "duplicate"),
        ("rotated.jpg", "rotation"),
        ("blurred.jpg", "clarity"),
        ("overexposed.jpg", "exposure"),
        ("noise.jpg", "texture"),
    ],
)
def test_each_bad_file_is_dropped_by_the_filter_made_for_it_with_value_and_threshold(done, file, filter):
    [(dropped_by, reason)] = (
        catalog.connect(done)
        .execute(
            f"""select dropped_by, reason from decisions join samples using (part, row)
            where phase = 256 and uri like '%/{file}'"""
        )
        .fetchall()
    )
    assert dropped_by == filter
    assert "; keep: " in reason


def test_a_share_is_kept_as_the_numbers_that_it_became(done):
    numbers = done.read_json("run.json")["stages"]["select"]["thresholds"]["best_of_class"]
    assert set(numbers) == {"nature", "people", "design", "synthetic"}
    rows = catalog.connect(done).execute(
        """select clarity, category, reason from decisions join measured using (part, row)
            where dropped_by = 'best_of_class' and phase = 512"""
    )
    dropped = rows.fetchall()
    assert dropped and all(clarity < numbers[category] for clarity, category, _ in dropped)
    assert all(reason.endswith(f"clarity >= {np.float32(numbers[category])!s}") for _, category, reason in dropped)


def test_files_that_are_no_pictures_are_failures_with_their_reasons(done):
    rows = catalog.connect(done).execute("select uri, message from failures where stage = 'collect'").fetchall()
    reasons = {uri.rsplit("/", 1)[-1]: message for uri, message in rows}
    assert set(reasons) == {"bomb.png", "empty.jpg", "notes.jpg", "truncated.jpg"}
    assert "over the limit" in reasons["bomb.png"]
    assert "truncated" in reasons["truncated.jpg"]


def test_many_languages_are_synthesized_with_quads_inside_the_picture(done):
    db = catalog.connect(done)
    found = db.execute("select distinct language from samples where source = 'pages'").fetchall()
    languages = {row[0] for row in found}
    assert languages <= LANGUAGES and len(languages) >= 9
    [(outside,)] = db.execute(
        """select count(*) from (
            select width, height, unnest(flatten(list_transform(text, lambda p: p.characters))) as c from samples
        ) where list_min(c.quad) < 0 or list_max(c.quad[1:8:2]) > width or list_max(c.quad[2:8:2]) > height"""
    ).fetchall()
    assert outside == 0


def test_repeats_never_pass_the_cap_and_every_category_is_used(done):
    rows = catalog.connect(done).execute(
        "select category, max(repeats), sum(repeats) from weights where phase = 256 group by category"
    )
    most, uses = zip(*[(most, uses) for _, most, uses in rows.fetchall()], strict=True)
    assert max(most) <= 4
    assert len(uses) == 4
    assert min(uses) > 0


def test_shards_open_in_duckdb_pyarrow_polars_and_datasets_with_images_decoded(done, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    pattern = f"{done.path('shards')}/256/*/*.parquet"
    files = [f for f in done.files("shards") if "/256/" in f]
    [(rows, size)] = duckdb.sql(
        f"select count(*), min(octet_length(image.bytes)) from read_parquet('{pattern}')"
    ).fetchall()
    assert rows == pyarrow.dataset.dataset(files).count_rows() == len(polars.read_parquet(files))
    assert size > 0
    opened = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path), split="train")
    assert len(opened) == rows
    assert isinstance(opened[0]["image"], Image.Image)
    assert opened[0]["image"].size == (opened[0]["width"], opened[0]["height"]) or opened[0]["source"] == "found"
    first = pq.read_table(files[0]).slice(0, 1).to_pylist()[0]
    assert Image.open(io.BytesIO(first["image"]["bytes"])).format.lower() == first["format"]


def test_training_on_the_shards_left_a_checkpoint_and_losses(done):
    state = done.read_json("run.json")["stages"]["train"]
    assert state["state"] == "done"
    assert state["steps"] == 12
    assert done.fs.exists(done.path("train", "metrics.jsonl"))


def test_the_report_shows_what_was_dropped_and_what_was_drawn(done):
    from dataengine import report

    page = Path(report.write(done)).read_text()
    for words in ("What each filter dropped", "Synthesized pages", "data:image/jpeg;base64,", "polyline", "noise.jpg"):
        assert words in page


def test_stats_prints_the_funnel_shares_shards_and_rates(done):
    shown = subprocess.run(
        [sys.executable, "-m", "dataengine.cli", "stats", done.url], capture_output=True, text=True, timeout=60
    ).stdout
    for words in ("inputs", "dropped by texture", "target", "zh-Hans", "bucket", "images/s", "measure.pixels"):
        assert words in shown
