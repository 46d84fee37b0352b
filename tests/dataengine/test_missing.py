"""A signal whose weights are not there: told before anything is computed, or left out where it is optional."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image
from rich.console import Console

from dataengine import catalog, running
from dataengine.errors import StageError
from dataengine.run import Run


@pytest.fixture
def measured(tmp_path: Path) -> Callable[..., Run]:
    """Measures two pictures with a CLIP, in one run folder."""
    (tmp_path / "in").mkdir()
    for i in range(2):
        Image.new("RGB", (300, 280), (i * 90, 40, 200)).save(tmp_path / "in" / f"{i}.png")

    def run(**clip: object) -> Run:
        entry = {"stage": "clip", "taxonomy": {"classes": {"a": {"b": ["c"]}}}, "device": "cpu", **clip}
        manifest = {
            "name": "test",
            "collect": [{"name": "in", "stage": "folder", "path": str(tmp_path / "in")}],
            "measure": ["pixels", entry],
        }
        (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
        out = str(tmp_path / "run")
        running.run(tmp_path / "manifest.yaml", out, [], "select", None, 1, False, Console(width=200))
        return Run(out)

    return run


def test_one_that_is_needed_stops_the_run_before_it_collects(measured, tmp_path: Path, capsys):
    with pytest.raises(StageError, match=r"measure.clip: ViT-B-32: no weights are named"):
        measured(model="ViT-B-32", weights=None)
    assert not list((tmp_path / "run").glob("samples/*"))


def test_one_that_is_optional_is_empty_until_it_can_be_had(measured, open_clip_folder: Path, capsys):
    run = measured(model="ViT-B-32", weights=None, optional=True)
    assert "will be empty" in capsys.readouterr().out
    empty = "select count(*) from signals where clip_embedding is null and luma is not null"
    assert catalog.connect(run).execute(empty).fetchall() == [(2,)]

    run = measured(model=str(open_clip_folder), weights=None, optional=True)
    whole = "select count(*) from signals where len(clip_embedding) = 32 and clip_category = 'a'"
    assert catalog.connect(run).execute(whole).fetchall() == [(2,)]


def test_a_run_that_was_measured_needs_no_weights_to_be_selected_from(measured, open_clip_folder: Path, tmp_path: Path):
    weights = tmp_path / "weights"
    weights.mkdir()
    for file in open_clip_folder.iterdir():
        (weights / file.name).write_bytes(file.read_bytes())
    measured(model=str(weights), weights=None)
    for file in weights.iterdir():
        file.unlink()
    run = measured(model=str(weights), weights=None)
    assert catalog.connect(run).execute("select count(*) from decisions").fetchall() == [(2,)]
