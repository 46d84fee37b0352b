"""Collecting folders: every file is a sample or a failure, in one order, in parts within the limits."""

from pathlib import Path

import fsspec
import pytest
from PIL import Image

from dataengine.errors import ManifestError
from dataengine.sample import Failure, Sample, content_id
from dataengine.stage import Limits
from stages.collect.folder import Folder, Params


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    for name, size in [("b.png", 40), ("a.jpg", 60), ("deep/er/c.webp", 20)]:
        Image.new("RGB", (size, 30), "navy").save(folder / name)
    return folder


def collect(limits: Limits | None = None, **params) -> list[list[Sample | Failure]]:
    source = Folder("photos", 0, Params(**params))
    return [list(source.produce(piece)) for piece in source.plan(limits or Limits())]


def test_files_at_any_depth_become_samples_in_the_order_of_their_paths(photos):
    [part] = collect(path=str(photos), category="nature", license="CC0")
    assert [Path(s.uri).relative_to(photos).as_posix() for s in part] == ["a.jpg", "b.png", "deep/er/c.webp"]
    assert [(s.format, s.width) for s in part] == [("jpeg", 60), ("png", 40), ("webp", 20)]
    first = part[0]
    assert first.encoded == (photos / "a.jpg").read_bytes()
    assert first.sample_id == content_id(first.encoded)
    assert (first.source, first.category, first.license, first.caption) == ("photos", "nature", "CC0", None)


def test_a_glob_takes_what_it_matches(photos):
    assert [[s.format for s in part] for part in collect(path=f"{photos}/**/*.webp")] == [["webp"]]
    assert [[s.format for s in part] for part in collect(path=f"{photos}/*.[jp]*g")] == [["jpeg", "png"]]


def test_hidden_files_and_caption_files_are_no_inputs_and_captions_are_read(photos):
    (photos / ".DS_Store").write_bytes(b"x")
    (photos / "a.txt").write_text("  A navy card.\n", encoding="utf-8")
    [part] = collect(path=str(photos), caption_suffix=".txt")
    assert [s.caption for s in part] == ["A navy card.", None, None]


def test_every_bad_file_is_a_failure_with_its_reason_and_the_others_go_on(photos):
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "notes.jpg").write_text("no picture")
    (photos / "cut.jpg").write_bytes((photos / "a.jpg").read_bytes()[:300])
    [part] = collect(path=str(photos), max_pixels=1700)
    messages = {Path(f.uri).name: f.message for f in part if isinstance(f, Failure)}
    assert set(messages) == {"empty.jpg", "notes.jpg", "cut.jpg", "a.jpg"}
    assert messages["empty.jpg"] == "empty file"
    assert "not an image" in messages["notes.jpg"]
    assert "over the limit of 1700" in messages["a.jpg"]
    assert all((f.source, f.stage) == ("photos", "collect") for f in part if isinstance(f, Failure))
    assert len([s for s in part if isinstance(s, Sample)]) == 2


def test_a_file_that_vanishes_or_cannot_be_read_is_a_failure(photos):
    (photos / "dangling.jpg").symlink_to(photos / "nowhere.jpg")
    source = Folder("photos", 0, Params(path=str(photos)))
    [piece] = source.plan(Limits())
    (photos / "b.png").unlink()
    made = list(source.produce(piece))
    assert len(made) == piece.inputs == 4
    assert sorted(Path(f.uri).name for f in made if isinstance(f, Failure)) == ["b.png", "dangling.jpg"]


def test_parts_stay_within_rows_and_bytes_and_a_larger_file_has_one_of_its_own(photos):
    for index in range(5):
        (photos / f"{index}.bin").write_bytes(bytes(1000))
    assert [len(part) for part in collect(Limits(3, 10**9), path=f"{photos}/*.bin")] == [3, 2]
    assert [len(part) for part in collect(Limits(100, 2500), path=f"{photos}/*.bin")] == [2, 2, 1]
    assert [len(part) for part in collect(Limits(100, 10), path=f"{photos}/*.bin")] == [1] * 5


def test_the_plan_changes_with_a_file_and_not_without(photos):
    def payload():
        return [piece.payload for piece in Folder("photos", 0, Params(path=str(photos))).plan(Limits())]

    before = payload()
    assert payload() == before
    (photos / "b.png").write_bytes(b"other")
    assert payload() != before


def test_urls_of_other_filesystems_are_read(photos):
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/bucket/x/one.png", (photos / "b.png").read_bytes())
    [[sample]] = collect(path="memory://bucket/x")
    assert (sample.width, sample.uri) == (40, "/bucket/x/one.png")
    [[by_url, *_]] = collect(path=f"file://{photos}")
    assert by_url.width == 60


@pytest.mark.parametrize(
    ("path", "words"), [("nowhere", "no such folder"), ("empty", "is empty"), ("empty/*.jpg", "nothing matches")]
)
def test_a_folder_that_is_not_there_or_empty_is_named(tmp_path, path, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=words) as raised:
        collect(path=str(tmp_path / path))
    assert "collect.photos.path" in str(raised.value)


def test_a_file_instead_of_a_folder_is_named(photos):
    with pytest.raises(ManifestError, match="a file, not a folder"):
        collect(path=str(photos / "a.jpg"))
