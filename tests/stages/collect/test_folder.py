"""Collecting folders: every file is a sample or a failure, in one order, in parts within the limits."""

import os
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from dataengine.errors import ManifestError
from dataengine.sample import Failure, Sample, content_id, failures_table, samples_table
from dataengine.stage import Limits
from stages.collect import reading
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


def test_what_hides_in_hidden_folders_is_no_input_unless_the_hidden_folder_was_asked_for(photos):
    (photos / ".thumbnails").mkdir()
    (photos / "b.png").rename(photos / ".thumbnails" / "b.png")
    assert [[s.format for s in part] for part in collect(path=str(photos))] == [["jpeg", "webp"]]
    assert [[s.format for s in part] for part in collect(path=f"{photos}/**/*.*")] == [["jpeg", "webp"]]
    assert [[s.format for s in part] for part in collect(path=f"{photos}/.thumbnails")] == [["png"]]
    assert [[s.format for s in part] for part in collect(path=f"{photos}/.thumbnails/*.png")] == [["png"]]


def test_a_folder_whose_name_looks_like_a_glob_is_a_folder(photos):
    bracketed = photos.rename(photos.with_name("photos [2020]*"))
    assert len(collect(path=str(bracketed))[0]) == 3


def test_links_to_files_are_followed_and_pipes_are_left_alone(photos):
    (photos / "link.png").symlink_to(photos / "b.png")
    os.mkfifo(photos / "pipe.png")
    [part] = collect(path=str(photos))
    assert [Path(s.uri).name for s in part] == ["a.jpg", "b.png", "c.webp", "link.png"]
    assert part[3].sample_id == part[1].sample_id


def test_a_name_that_is_not_utf_8_costs_nothing(photos):
    (photos / "b.png").rename(photos / os.fsdecode(b"caf\xe9.png"))
    (photos / os.fsdecode(b"n\xf6tes.jpg")).write_text("no picture")
    [made] = collect(path=str(photos))
    table = samples_table([s for s in made if isinstance(s, Sample)])
    assert [uri.rsplit("/", 1)[-1] for uri in table["uri"].to_pylist()] == ["a.jpg", "caf?.png", "c.webp"]
    assert failures_table([f for f in made if isinstance(f, Failure)])["uri"][0].as_py().endswith("n?tes.jpg")


def test_the_caption_beside_a_file_without_a_suffix_is_found_in_a_folder_with_a_dot(tmp_path):
    folder = tmp_path / "set.v2"
    folder.mkdir()
    Image.new("RGB", (20, 20)).save(folder / "one", "PNG")
    (folder / "one.txt").write_text("one")
    (tmp_path / "set.txt").write_text("not this")
    assert [s.caption for s in collect(path=str(folder), caption_suffix=".txt")[0]] == ["one"]


def test_a_caption_that_cannot_be_read_costs_its_image_only(photos):
    (photos / "a.txt").mkdir()
    [first, *others] = collect(path=str(photos), caption_suffix=".txt")[0]
    assert isinstance(first, Failure)
    assert all(isinstance(other, Sample) for other in others)


def test_a_file_larger_than_a_part_may_be_is_a_failure_and_not_read_whole(photos, monkeypatch):
    monkeypatch.setattr(reading, "_MOST_BYTES", 64 << 20)
    with (photos / "film.mp4").open("wb") as film:
        film.truncate(1 << 40)
    made = collect(path=str(photos))
    failures = {Path(f.uri).name: f.message for part in made for f in part if isinstance(f, Failure)}
    assert failures == {"film.mp4": "more than 64 MiB"}


class NotInstalled(fsspec.AbstractFileSystem):
    """A filesystem whose package is missing, as s3:// is without s3fs."""

    def __init__(self, **options: object) -> None:
        raise ImportError("install the package for this filesystem")


@pytest.mark.parametrize("path", ["nosuch://bucket/x", "notinstalled://bucket/x"])
def test_a_filesystem_that_is_unknown_or_not_installed_is_named(path):
    fsspec.register_implementation("notinstalled", NotInstalled, clobber=True)
    with pytest.raises(ManifestError, match=r"collect\.photos\.path.*cannot be listed"):
        collect(path=path)
