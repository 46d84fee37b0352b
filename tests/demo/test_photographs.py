"""The quickstart's pictures: the same bytes each time, real ones readable, bad ones bad as intended."""

import json

import pytest

from dataengine import decode
from dataengine.errors import SampleError
from demo.photographs import CAPTIONED, FOUND, MADE, gather


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("data")
    gather(made)
    return made


def test_every_captioned_photograph_is_there_and_decodes(folder):
    rows = [json.loads(line) for line in (folder / "photos.jsonl").read_text().splitlines()]
    assert len(rows) == len(CAPTIONED)
    for row in rows:
        assert decode.verify((folder / row["file"]).read_bytes()).width > 0
        assert len(row["caption"]) > 20


def test_the_found_folder_has_every_file_and_gathering_again_changes_nothing(folder, tmp_path):
    assert len(list((folder / "found").iterdir())) == len(FOUND) + len(MADE)
    gather(tmp_path)
    for path in (folder / "found").iterdir():
        assert (tmp_path / "found" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", MADE)
def test_each_made_file_is_readable_unless_it_is_meant_not_to_be(folder, name):
    encoded = (folder / "found" / name).read_bytes()
    if name in ("truncated.jpg", "empty.jpg", "notes.jpg", "bomb.png"):
        with pytest.raises(SampleError):
            decode.verify(encoded)
    else:
        pixels, orientation = decode.decode(encoded)
        assert pixels.shape[2] == 3
        assert (orientation == 6) == (name == "rotated.jpg")
