"""Judging as a whole: what OCR reads in true pictures, in drawn ones, and what is written of it."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dataengine.cli import app
from dataengine.decode import decode
from dataengine.errors import ManifestError
from dataengine.trainer.evaluate import evaluate, prompts, reading, writing
from dataengine.trainer.loop import train


@pytest.fixture
def trained(tiny):
    config = tiny()
    train(config)
    return config


def test_true_renderings_are_read_and_wrong_ones_are_not(annotated):
    asked = prompts.read(annotated)
    true = [decode(prompt.picture)[0] for prompt in asked]
    swapped = [true[1], true[0], np.full_like(true[2], 255)]
    reader = reading.load("line")
    right, wrong = (writing.judge(asked, pictures, reader) for pictures in (true, swapped))
    assert right.groups["all"].exact == right.ceiling["all"].exact == 1
    assert wrong.groups["all"].exact == 0 and wrong.ceiling["all"].exact == 1
    assert {"1 characters", "2 characters"} < right.groups.keys()


def test_a_page_is_read_line_by_line(annotated):
    first = Image.fromarray(decode(prompts.read(annotated)[0].picture)[0]).resize((288, 96), Image.Resampling.BICUBIC)
    page = Image.new("RGB", (640, 520), "white")
    page.paste(first, (40, 60))
    page.paste(first, (40, 300))
    assert reading.load("page")([np.asarray(page)]) == [["AB", "AB"]]


def test_a_checkpoint_is_judged_and_the_figures_and_pictures_written(trained, annotated, tmp_path):
    out = tmp_path / "judged"
    arguments = ["evaluate", str(trained.out), "--on", str(annotated), "--out", str(out), "--read", "line"]
    done = CliRunner().invoke(app, [*arguments, "--steps", "2", "--size", "72x24"])
    assert done.exit_code == 0, done.output
    assert "ceiling" in done.output and "held-out loss" in done.output
    found = json.loads((out / "evaluation.json").read_text())
    assert found["groups"]["all"]["pictures"] == 3 and found["ceiling"]["all"]["exact"] == 1
    assert found["groups"]["all"]["exact"] == 0  # so little training writes nothing
    assert found["held_out"]["pictures"] == 3 and found["size"] == [72, 24]
    assert next(json.loads(line)["texts"] for line in (out / "readings.jsonl").read_text().splitlines()) == ["AB"]
    assert Image.open(out / "readings.png").width > 3 * 72


def test_characters_that_the_reader_does_not_know_cannot_be_judged(trained, tmp_path):
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "a sign", "texts": ["한글"]}', encoding="utf-8")
    with pytest.raises(ManifestError, match="does not know '글한'"):
        evaluate(trained.out, file, tmp_path / "out")
