"""Prompts from JSON Lines and from pictures with annotated text."""

import json

import pytest

from dataengine.errors import ManifestError
from dataengine.trainer.evaluate.prompts import Prompt, read


def test_lines_have_a_prompt_its_texts_and_perhaps_a_language_and_a_tier(tmp_path):
    file = tmp_path / "prompts.jsonl"
    rows = [
        {"prompt": 'a sign that says "永"', "texts": ["永"], "language": "zh", "tier": 1},
        {"prompt": "a poster", "texts": "SALE"},
    ]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    assert read(file) == [Prompt('a sign that says "永"', ("永",), "zh", "1"), Prompt("a poster", ("SALE",))]
    assert len(read(file, limit=1)) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"prompt": "a"}', "line 2: no 'texts'"),
        ('{"prompt": "a", "texts": [" "]}', "line 2: .*not empty"),
        ('{"prompt": 3, "texts": ["a"]}', "line 2: `prompt` must be a text"),
        ("{", "line 2: Expecting"),
        ("[]", "line 2"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, line, message):
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "a", "texts": ["b"]}\n' + line, encoding="utf-8")
    with pytest.raises(ManifestError, match=message):
        read(file)


def test_pictures_with_annotated_text_are_prompts_and_others_are_passed_over(annotated):
    found = read(annotated)
    assert [(p.prompt, p.texts, p.language) for p in found] == [(t, (t,), "en") for t in ("AB", "7K", "X")]
    assert all(p.picture and p.picture.startswith(b"\x89PNG") for p in found)
    assert read(annotated.parent) == found  # a folder, with a file that is no picture


def test_files_without_prompts_are_refused(tmp_path, annotated):
    with pytest.raises(ManifestError, match="no column 'image'"):
        read(annotated.parent / "index.parquet")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(ManifestError, match="no prompts there"):
        read(tmp_path / "empty.jsonl")
    with pytest.raises(ManifestError, match="cannot be read"):
        read(tmp_path / "nowhere.jsonl")
