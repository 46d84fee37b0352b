from dataclasses import replace
from pathlib import Path

import pytest

from dataengine.errors import StageError
from fonts import catalog, fetch
from fonts.catalog import Family


def family(name: str) -> Family:
    return next(f for f in catalog.families() if f.name == name)


@pytest.fixture
def cached(tmp_path: Path, monkeypatch) -> Path:
    """An empty cache, and no programs to fetch with."""
    monkeypatch.setenv("DATAENGINE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_what_stands_is_not_fetched_again():
    assert fetch.fetch([f for f in catalog.families() if not f.source.startswith("pip:")]) == []


def test_families_of_python_packages_and_folders_are_not_fetched(cached: Path):
    assert fetch.fetch([family("Lora"), replace(family("Lora"), source="folder:/nowhere")]) == []


@pytest.mark.parametrize(("source", "message"), [("npm:@f/x@1", "npm is missing"), ("deb:fonts-x", "apt-get")])
def test_without_the_program_that_fetches_it_says_which(cached: Path, source: str, message: str):
    with pytest.raises(StageError, match=message):
        fetch.fetch([replace(family("Lora"), source=source)])
    assert not list((cached / "fonts").glob("*"))  # and leaves nothing behind


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_package_without_the_file_is_refused_and_leaves_nothing_behind(cached: Path):
    _program(cached / "bin", "apt-get", ": > fonts-x.deb")
    _program(cached / "bin", "dpkg-deb", ": > other.ttf")
    with pytest.raises(StageError, match=r"deb:fonts-x has no lora\.ttf"):
        fetch.fetch([replace(family("Lora"), source="deb:fonts-x", files=("lora.ttf",))])
    assert not list((cached / "fonts").glob("*"))


def test_only_the_wanted_files_of_a_package_are_kept(cached: Path):
    _program(cached / "bin", "apt-get", ": > fonts-x.deb")
    _program(cached / "bin", "dpkg-deb", ": > lora.ttf; : > other.ttf")
    wanted = replace(family("Lora"), source="deb:fonts-x", files=("lora.ttf",))
    assert fetch.fetch([wanted]) == ["deb:fonts-x"]
    assert [p.name for p in (cached / "fonts" / "fonts-x").iterdir()] == ["lora.ttf"]
    assert fetch.fetch([wanted]) == []


def test_a_program_that_fails_is_quoted(cached: Path):
    _program(cached / "bin", "npm", "echo no such package >&2; exit 1")
    with pytest.raises(StageError, match="no such package"):
        fetch.fetch([replace(family("Lora"), source="npm:@f/x@1")])
