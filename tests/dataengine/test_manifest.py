"""Manifests: entries in their short and long forms, and what is refused before anything runs."""

import re

import pytest
import yaml

from dataengine.errors import ManifestError
from dataengine.manifest import load, stage_of
from dataengine.stage import Resources


@pytest.fixture
def manifest(tmp_path):
    def make(overrides=(), **sections):
        path = tmp_path / "manifest.yaml"
        path.write_text(yaml.safe_dump({"name": "test", "collect": [{"stage": "folder", "path": "x"}], **sections}))
        return load(path, overrides, run="/run")

    return make


def test_an_entry_in_short_form_is_the_stage_with_its_own_defaults(manifest):
    [pixels, ocr] = manifest(measure=["pixels", {"stage": "ocr", "min_confidence": 0.7}]).measure
    assert (pixels.stage, pixels.name, dict(pixels.params)) == ("pixels", "pixels", {})
    assert (ocr.name, dict(ocr.params)) == ("ocr", {"min_confidence": 0.7})


def test_resources_override_only_what_they_name(manifest):
    [entry] = manifest(measure=[{"stage": "ocr", "resources": {"cpus": 2, "memory": "3GiB"}}]).measure
    assert entry.resources.over(Resources(cpus=1, gpus=0.5, memory=1, batch=4)) == Resources(2, 0.5, 3 << 30, 4)


def test_sections_that_are_left_out_have_their_defaults(manifest):
    made = manifest()
    assert (made.select.stage, made.balance.stage) == ("select", "balance")
    assert (made.dedup, made.pack, made.train) == (None, None, None)
    assert made.parts.limits().samples == 4096


def test_a_synthesize_entry_need_not_name_its_stage(manifest):
    assert manifest(synthesize=[{"set": "pages.yaml"}]).synthesize[0].stage == "text_set"


def test_parts_can_be_smaller_but_never_larger_than_the_contract(manifest):
    assert manifest(parts={"samples": 8, "bytes": "1MB"}).parts.limits().bytes == 10**6
    with pytest.raises(ManifestError, match=r"parts\.samples"):
        manifest(parts={"samples": 5000})
    with pytest.raises(ManifestError, match=r"parts\.bytes"):
        manifest(parts={"bytes": "1GB"})


def test_the_runs_folder_stands_in_variables(manifest):
    assert manifest(["train=${RUN}/t.yaml"]).train == "/run/t.yaml"


def test_a_text_set_alone_is_a_manifest_that_synthesizes_and_packs_it(tmp_path):
    path = tmp_path / "pages.yaml"
    path.write_text("name: pages\nlanguages: {en: 1}\n")
    made = load(path)
    assert (made.name, made.synthesize[0].params["set"], made.pack.stage) == ("pages", str(path), "pack")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"measur": []}, ["measur", "did you mean 'measure'"]),
        ({"name": "a/b"}, ["name"]),
        ({"measure": ["pixels", "pixels"]}, ["two entries are named pixels"]),
        ({"measure": [{"batch": 3}]}, ["name a stage"]),
        ({"measure": [{"stage": "ocr", "resources": {"cpu": 3}}]}, ["measure.0.resources.cpu", "did you mean 'cpus'"]),
        ({"synthesize": [{"set": "x", "name": "folder"}]}, ["an entry named folder"]),
        ({"measure": [{"stage": "pixels", "name": "Folder"}]}, ["an entry named folder"]),
        ({"measure": [{"stage": "pixels", "name": "duplicates"}], "dedup": {}}, ["an entry named duplicates"]),
        ({"collect": []}, ["nothing to do"]),
    ],
)
def test_what_cannot_be_meant_is_refused(manifest, sections, words):
    with pytest.raises(ManifestError) as raised:
        manifest(**sections)
    for word in words:
        assert word in str(raised.value)


def test_a_stage_is_found_by_name_or_as_package_and_class_and_its_keys_are_checked(manifest):
    [named, imported, bad] = manifest(
        measure=[
            {"stage": "pixels", "name": "a"},
            {"stage": "stages.measure.pixels:Pixels", "name": "b"},
            {"stage": "ocr", "min_confidnce": 1},
        ]
    ).measure
    assert stage_of(named, "measure")[0] is stage_of(imported, "measure")[0]
    with pytest.raises(ManifestError, match="did you mean 'min_confidence'"):
        stage_of(bad, "measure")


@pytest.mark.parametrize(("section", "stage"), [("measure", "folder"), ("collect", "pixels"), ("select", "pixels")])
def test_a_stage_in_the_wrong_section_is_refused(manifest, section, stage):
    [entry] = manifest(measure=[{"stage": stage, "name": "x"}]).measure
    with pytest.raises(ManifestError, match=rf"{section}\.x: {stage} is no stage for `{section}`"):
        stage_of(entry, section)


def test_the_path_of_a_key_in_a_section_with_one_stage_does_not_name_it_twice(manifest):
    made = manifest(select={"filters": [{"name": "a", "kep": "true"}]})
    with pytest.raises(ManifestError, match=r"^select: 2 problem.*(?s:.)*filters\.0\.kep.*did you mean 'keep'"):
        stage_of(made.select, "select")


@pytest.mark.parametrize(
    "stage", ["pixls", "no.such.module:Thing", "stages.measure.pixels:Nothing", "json:loads", ":Thing", "a..b:Thing"]
)
def test_a_stage_that_is_not_there_is_named(manifest, stage):
    [entry] = manifest(measure=[{"stage": stage, "name": "x"}]).measure
    with pytest.raises(ManifestError, match=re.escape(stage)):
        stage_of(entry, "measure")
