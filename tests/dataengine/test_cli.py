"""What a user meets: each mistake is one message that names the thing and the remedy, and the run resumes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from dataengine import cli


def command(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """The command line as a user calls it."""
    return subprocess.run(
        [sys.executable, "-m", "dataengine.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for index in range(8):
        pixels = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


@pytest.fixture
def write(tmp_path: Path, photos: Path):
    """Writes a manifest over the photographs, with some sections replaced."""

    def make(**sections: object) -> str:
        data = {
            "name": "cli",
            "collect": [{"name": "photos", "stage": "folder", "path": str(photos)}],
            "measure": ["pixels"],
            "pack": {},
            **sections,
        }
        path = tmp_path / "manifest.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in data.items() if v is not None}))
        return str(path)

    return make


def collecting(path: object, **more: object) -> list[dict]:
    return [{"name": "photos", "stage": "folder", "path": str(path), **more}]


def refuses(code: int, *words: str, arguments: tuple[str, ...]) -> str:
    """The command ends with the code and one message that holds the words, without a traceback."""
    done = command(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert "→" in done.stderr, "the message does not say what to do"
    for word in words:
        assert word in done.stderr, done.stderr
    return done.stderr


MISTAKES = {
    "a missing folder": ({"collect": collecting("nowhere/photos")}, ["collect.photos.path", "nowhere/photos"]),
    "an unknown section": ({"selekt": {}}, ["selekt", "did you mean 'select'"]),
    "a misspelt stage": ({"measure": ["pixls"]}, ["pixls", "did you mean 'pixels'"]),
    "a misspelt parameter": (
        {"collect": collecting("x", max_pixel=3)},
        ["collect.photos", "max_pixel", "did you mean 'max_pixels'"],
    ),
    "a predicate with a syntax error": (
        {"select": {"filters": [{"name": "sharp", "keep": "clarity >= "}]}},
        ["select.filters.sharp.keep", "clarity >= ", "syntax error"],
    ),
    "a predicate with an unknown column": (
        {"select": {"filters": [{"name": "sharp", "keep": "claritee >= 4"}]}},
        ["select.filters.sharp.keep", "claritee", "clarity"],
    ),
    "a predicate that is a number": (
        {"select": {"filters": [{"name": "sharp", "keep": "clarity + 4"}]}},
        ["select.filters.sharp.keep", "not true or false"],
    ),
    "a target that does not add up": ({"balance": {"target": {"nature": 0.4}}}, ["balance", "sum to 1"]),
    "nothing to do": ({"collect": None}, ["collect", "synthesize"]),
    "a signal that dedup needs": ({"dedup": {}}, ["dedup", "fingerprint"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_manifest_is_named_before_anything_is_computed(mistake, write, tmp_path):
    sections, words = MISTAKES[mistake]
    out = tmp_path / "run"
    refuses(2, *words, arguments=("run", write(**sections), "--out", str(out)))
    assert not (out / "samples").exists()


def test_an_empty_folder_is_named(write, tmp_path):
    (tmp_path / "empty").mkdir()
    manifest = write(collect=collecting(tmp_path / "empty"))
    refuses(2, "empty", arguments=("run", manifest, "--out", str(tmp_path / "run")))


def test_a_missing_manifest_and_bad_yaml_name_the_file(tmp_path):
    refuses(2, "nothing.yaml", arguments=("run", str(tmp_path / "nothing.yaml")))
    (tmp_path / "bad.yaml").write_text("name: x\ncollect: [a, {b: ]\n")
    refuses(2, "bad.yaml:2", arguments=("run", str(tmp_path / "bad.yaml")))


def test_a_folder_of_non_images_says_where_the_reasons_are_and_the_run_resumes(write, tmp_path, photos):
    notes = tmp_path / "notes"
    notes.mkdir()
    for index in range(3):
        (notes / f"{index}.txt").write_text("no picture")
    out = str(tmp_path / "run")
    message = refuses(1, "none of the 3 inputs", arguments=("run", write(collect=collecting(notes)), "--out", out))
    assert "select uri, message from failures" in message
    reasons = command(
        "sql", out, "select count(*) as n from failures where message like 'not an image%'", "--format", "csv"
    )
    assert reasons.stdout.split() == ['"n"', "3"]
    done = command("run", write(), "--out", out)
    assert done.returncode == 0, done.stderr
    assert command("check", out).returncode == 0
    left = command("sql", out, "select count(*) as n from failures", "--format", "csv")
    assert left.stdout.split() == ['"n"', "0"], "failures of files that are no longer asked for have stayed"


def test_sql_names_a_bad_query_and_a_folder_without_a_run(tmp_path, write):
    refuses(1, "no run there", arguments=("sql", str(tmp_path), "select 1"))
    out = str(tmp_path / "run")
    assert command("run", write(pack=None), "--out", out).returncode == 0
    refuses(2, "sampels", "samples", arguments=("sql", out, "select * from sampels"))


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounting a small filesystem needs root")
def test_a_full_disk_is_one_message_and_the_run_resumes(write, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine does not let tests mount")
    try:
        arguments = ("run", write(parts={"samples": 2}), "--out", str(small / "run"))
        refuses(1, "no space left", "run the same command again", arguments=arguments)
        assert not list((small / "run").rglob("*.tmp-*"))
        subprocess.run(["mount", "-o", "remount,size=40m", str(small)], check=True)
        done = command(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        assert command("check", str(small / "run")).returncode == 0
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_help_names_every_command():
    shown = CliRunner().invoke(cli.app, ["--help"]).stdout
    for verb in ("run", "synth", "sql", "stats", "check", "report", "train", "sample", "doctor"):
        assert f" {verb} " in shown


def test_doctor_finds_everything_on_a_machine_that_was_set_up():
    done = command("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a page was drawn" in done.stdout
    assert "✗" not in done.stdout


def test_synth_writes_the_same_set_again_and_sql_reads_it(tmp_path):
    recipe = tmp_path / "set.yaml"
    recipe.write_text(
        yaml.safe_dump(
            {"name": "again", "languages": {"en": 1, "ja": 1, "ar": 1}, "sizes": [[320, 256]], "smallest": 8}
        )
    )
    digests = []
    for name in ("first", "second"):
        done = command("synth", str(recipe), "--out", str(tmp_path / name), "--count", "12")
        assert done.returncode == 0, done.stderr
        query = "select path, digest, rows from shard_index order by path"
        digests.append(command("sql", str(tmp_path / name), query, "--format", "csv").stdout)
    assert digests[0] == digests[1]
    assert digests[0].count("shard-") >= 1
    refuses(
        2, "no `synthesize` section", arguments=("synth", str(_without_text(tmp_path)), "--out", str(tmp_path / "x"))
    )


def _without_text(tmp_path: Path) -> Path:
    path = tmp_path / "collect.yaml"
    path.write_text(yaml.safe_dump({"name": "x", "collect": [{"stage": "folder", "path": "x"}]}))
    return path
