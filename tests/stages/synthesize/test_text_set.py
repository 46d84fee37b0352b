import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from dataengine import config
from dataengine.errors import ManifestError, StageError
from dataengine.sample import Failure, Sample, samples_table, synthetic_id
from dataengine.stage import Limits, Source, find
from stages.synthesize.composition import COMPOSITIONS
from stages.synthesize.palette import COLOURS, contrast
from stages.synthesize.recipe import Recipe
from stages.synthesize.text_set import Params, TextSet
from stages.synthesize.words import longtail
from stages.synthesize.words.strings import held_out

QUICK = "manifests/synth/quick.yaml"
LANGUAGES = ("en", "ru", "zh-Hans", "zh-Hant", "ja", "ko", "ar", "hi", "th")
PURE = {
    "name": "quick",
    "count": 300,
    "languages": dict.fromkeys(LANGUAGES, 1),
    "sizes": [[640, 640], [512, 768], [768, 512], [576, 768], [768, 576]],
    "smallest": 14,
}


def text_set(**params) -> TextSet:
    return TextSet("pages", 0, Params.model_validate({"set": PURE, **params}))


def recipe(**changes) -> dict:
    return {"name": "t", "languages": {"en": 1}, "sizes": [[400, 400]], **changes}


@pytest.fixture(scope="module")
def pages() -> list[Sample]:
    found = list(_produce(text_set(count=90)))
    assert sum(isinstance(s, Failure) for s in found) <= 2
    return [s for s in found if isinstance(s, Sample)]


def _produce(source: TextSet, limits: Limits = Limits()) -> list[Sample | Failure]:
    return [sample for piece in source.plan(limits) for sample in source.produce(piece)]


def test_it_is_a_source_under_its_registered_name():
    assert find("text_set") is TextSet
    assert isinstance(text_set(), Source)


def test_the_nine_languages_and_most_compositions_appear(pages: list[Sample]):
    assert {s.language for s in pages} == set(LANGUAGES)
    assert len({s.meta["layout"] for s in pages}) >= 0.8 * len(COMPOSITIONS)


def test_ranges_joined_are_the_whole(pages: list[Sample]):
    parts = [s for start, count in ((0, 7), (7, 1), (8, 12)) for s in _produce(text_set(start=start, count=count))]
    assert [s.encoded for s in parts] == [s.encoded for s in pages[:20]]
    assert samples_table(parts) == samples_table(pages[:20])
    small_pieces = _produce(text_set(count=20), Limits(samples=3))
    assert [s.encoded for s in small_pieces] == [s.encoded for s in pages[:20]]


def test_another_process_makes_the_same_files(pages: list[Sample]):
    program = (
        "import hashlib; from stages.synthesize.text_set import *;"
        f"s = TextSet('pages', 7, Params.model_validate({{'set': {PURE!r}}}));"
        "print(hashlib.blake2b(b''.join(s.picture(i).encoded for i in range(19, -1, -1))).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    backwards = b"".join(s.encoded for s in reversed(pages[:20]))
    assert done.stdout.strip() == hashlib.blake2b(backwards).hexdigest()


def test_a_sample_is_what_it_says(pages: list[Sample]):
    for index, sample in enumerate(pages[:30]):
        image = Image.open(io.BytesIO(sample.encoded))
        assert image.size == (sample.width, sample.height)
        assert image.format == "JPEG" and sample.format == "jpeg"
        assert sample.source == "pages" and sample.category == "synthetic" and sample.license
        assert json.loads(json.dumps(sample.meta)) == sample.meta
        assert sample.sample_id == synthetic_id("quick", 0, index)
        assert sample.uri == f"set://quick/0/{index}"


def test_captions_name_everything_and_quote_the_text(pages: list[Sample]):
    for sample in pages:
        caption = sample.caption.lower()
        assert sample.meta["background"] in caption
        assert sample.meta["ink"] in caption or sample.meta["accent"] in caption
        for paragraph in sample.text:
            if paragraph.script != "Hira" or sample.language != "ja":  # readings are not quoted
                assert f"“{paragraph.content}”" in sample.caption


def test_annotations_spell_the_paragraphs_inside_the_picture(pages: list[Sample]):
    for sample in pages:
        assert [p.order for p in sample.text] == list(range(len(sample.text)))
        for paragraph in sample.text:
            letters = "".join(paragraph.content.split())
            for spans in (paragraph.lines, paragraph.words, paragraph.characters):
                assert "".join("".join(spans.texts).replace("\u00ad", "").split()) == letters
                corners = spans.quads.reshape(-1, 2)
                assert (corners >= 0).all() and (corners <= [sample.width, sample.height]).all()
            assert paragraph.size >= 14
        scripts = {
            "en": "Latn",
            "ru": "Cyrl",
            "ar": "Arab",
            "hi": "Deva",
            "th": "Thai",
            "ko": "Hang",
            "zh-Hans": "Hani",
        }
        assert sample.text[-1].script == scripts.get(sample.language, sample.text[-1].script)


def test_ink_and_background_reach_the_contrast_in_the_picture(pages: list[Sample]):
    for sample in pages:
        assert min(sample.meta["contrast"]) >= 4.5
        pixels = np.asarray(Image.open(io.BytesIO(sample.encoded)))
        largest = max(sample.text, key=lambda p: p.size)
        box = largest.lines.quads.reshape(-1, 2)
        (left, top), (right, bottom) = box.min(axis=0).astype(int), box.max(axis=0).astype(int)
        inside = pixels[top:bottom, left:right].reshape(-1, 3).astype(int)
        inks = np.array([COLOURS[sample.meta["ink"]], COLOURS[sample.meta["accent"]]])
        distance = np.abs(inside[:, None] - inks).sum(axis=2)
        assert distance.min() < 60
        ink = inks[np.unravel_index(distance.argmin(), distance.shape)[1]]
        ground = pixels[:6].reshape(-1, 3).mean(axis=0).round().astype(int)
        assert contrast(tuple(ink.tolist()), tuple(ground.tolist())) > 4.2


def test_png_keeps_the_pixels_as_they_were_drawn():
    sample = _produce(TextSet("pages", 0, Params(set=recipe(format="png"), count=1)))[0]
    assert Image.open(io.BytesIO(sample.encoded)).format == "PNG"


def test_pieces_keep_to_the_limits_and_cover_the_range():
    pieces = list(text_set(start=5, count=100).plan(Limits(samples=30)))
    assert [(p.payload["start"], p.inputs) for p in pieces] == [(5, 30), (35, 30), (65, 30), (95, 10)]
    largest = 768 * 576 * 3
    assert max(p.inputs for p in text_set(count=100).plan(Limits(bytes=10 * largest))) < 10
    assert list(text_set(count=0).plan(Limits())) == []


def test_planning_checks_the_corpus_at_once(tmp_path: Path):
    missing = TextSet("pages", 0, Params(set=recipe(corpus=str(tmp_path)), count=1))
    with pytest.raises(StageError, match=r"en\.txt cannot be read"):
        list(missing.plan(Limits()))


def test_a_language_without_fonts_is_refused_at_once(tmp_path: Path):
    (tmp_path / "tlh.txt").write_text("nuqneH", encoding="utf-8")
    stranger = TextSet("pages", 0, Params(set=recipe(corpus=str(tmp_path), languages={"tlh": 1}), count=1))
    with pytest.raises(StageError, match="no font of the catalogue writes 'tlh'"):
        list(stranger.plan(Limits()))


@pytest.mark.parametrize(("text", "code"), [("Free 𓀀 and equal.", "U+13000"), ("Free \x07 and equal.", "U+0007")])
def test_a_page_that_cannot_be_written_is_a_failure_with_its_reason(tmp_path: Path, text: str, code: str):
    (tmp_path / "en.txt").write_text(text, encoding="utf-8")
    found = _produce(TextSet("pages", 0, Params(set=recipe(corpus=str(tmp_path)), count=5)))
    assert len(found) == 5
    assert all(isinstance(f, Failure) and f.error == "SampleError" and code in f.message for f in found)
    assert [f.uri for f in found] == [f"set://t/0/{i}" for i in range(5)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategies": {"complex": 1}, "templates": ["menuu"]}, "no template 'menuu'; did you mean 'menu'"),
        ({"strategies": {"compositional": 1}, "media": ["a chalkbord"]}, "chalkbord"),
        ({"compositions": ["a verse in vertical lines"]}, "no composition suits 'en'"),
    ],
)
def test_what_a_set_names_and_nobody_has_is_refused_at_once(changes: dict, message: str):
    with pytest.raises((StageError, ManifestError), match=message):
        list(TextSet("pages", 0, Params(set=recipe(**changes), count=1)).plan(Limits()))


def test_a_set_is_the_same_by_path_and_inline():
    by_path = Params.model_validate({"set": QUICK})
    inline = Params.model_validate({"set": config.read_yaml(QUICK)})
    assert by_path.model_dump_json() == inline.model_dump_json()


def test_a_misspelt_key_of_a_set_is_named_with_what_was_meant(tmp_path: Path):
    path = tmp_path / "set.yaml"
    path.write_text("name: x\nlanguages: {en: 1}\nquallity: 3\n", encoding="utf-8")
    with pytest.raises(ManifestError, match="quallity: unknown key; did you mean 'quality'"):
        Params.model_validate({"set": str(path)})


def test_a_picture_of_every_strategy_comes_by_its_weight():
    strategies = {"pure": 1, "compositional": 1, "complex": 1}
    source = TextSet("pages", 0, Params(set=recipe(strategies=strategies, sizes=[[512, 512]], smallest=9), count=18))
    found = [s for s in _produce(source) if isinstance(s, Sample)]
    assert {s.meta["strategy"] for s in found} == set(strategies) and len(found) >= 14
    for sample in found:
        assert sample.text and sample.caption
        for paragraph in sample.text:
            corners = paragraph.characters.quads.reshape(-1, 2)
            assert (corners >= 0).all() and (corners <= 512).all()


CURRICULUM = [
    {"until": 0.25, "compositions": ["a single character"]},
    {"until": 0.5, "compositions": ["a single word"], "sizes": [[320, 200]]},
    {"until": 1.0, "compositions": ["a book page"]},
]


def test_languages_are_dealt_by_their_weights_and_shares_are_dense():
    made = Recipe.model_validate(recipe(languages={"en": 3, "ar": 1, "ja": 1}, count=103))
    for lap in (0, 1):
        dealt = [made.language(index) for index in range(lap * 103, lap * 103 + 103)]
        for language, expected in (("en", 62), ("ar", 21), ("ja", 20)):
            ranks = sorted(share.rank for name, share in dealt if name == language)
            assert abs(len(ranks) - expected) <= 1
            assert ranks == list(range(lap * len(ranks), lap * len(ranks) + len(ranks)))


def test_no_paragraph_stands_twice_in_a_set_while_the_corpus_lasts(tmp_path: Path):
    sentences = [f"Sentence number {n} has about as many letters as the others have." for n in range(900)]
    (tmp_path / "en.txt").write_text("\n\n".join(sentences), encoding="utf-8")
    own = recipe(corpus=str(tmp_path), compositions=["a page of two paragraphs"], repeats=False, count=36)
    found = _produce(TextSet("pages", 0, Params(set=own)))
    contents = [p.content for s in found if isinstance(s, Sample) for p in s.text]
    assert len(contents) > 60 and len(set(contents)) == len(contents)
    firsts = [content.split(".")[0] for content in contents]
    assert len(set(firsts)) == len(firsts)  # none even begins where another does
    with pytest.raises(ManifestError, match="passages for 37 pictures in 'en', not for 60"):
        list(TextSet("pages", 0, Params(set={**own, "count": 60})).plan(Limits()))


def test_a_corpus_that_has_changed_is_drawn_again(tmp_path: Path):
    path = tmp_path / "en.txt"
    path.write_text("All are free.", encoding="utf-8")
    source = TextSet("pages", 0, Params(set=recipe(corpus=str(tmp_path)), count=2))
    (before,) = source.plan(Limits())
    assert [before] == list(source.plan(Limits()))
    path.write_text("All are equal.", encoding="utf-8")
    (after,) = source.plan(Limits())
    assert before.payload != after.payload


def test_every_character_that_is_asked_for_stands_in_the_pictures():
    rare = recipe(
        languages={"zh-Hans": 1},
        count=40,
        sizes=[[768, 768]],
        coverage={"characters": "general-standard-3", "at_least": 1},
        compositions=["a book page", "a page of two paragraphs", "a centred poster"],
    )
    found = _produce(TextSet("pages", 0, Params(set=rare)))
    pictures = [s for s in found if isinstance(s, Sample)]
    written = set("".join(p.content for s in pictures for p in s.text))
    assert all(set(s.meta["asked"]) <= set("".join(p.content for p in s.text)) for s in pictures)
    asked = set(longtail.characters("general-standard-3"))
    assert len(pictures) >= 38 and len(asked - written) <= 41 * (40 - len(pictures))
    assert {s.meta["layout"] for s in pictures} == {"a book page", "a page of two paragraphs"}


def test_a_curriculum_goes_from_one_band_to_the_next():
    found = _produce(TextSet("pages", 0, Params(set=recipe(curriculum=CURRICULUM, count=16))))
    assert [s.meta["band"] for s in found] == [0] * 4 + [1] * 4 + [2] * 8
    assert [s.meta["layout"] for s in found] == ["a single character"] * 4 + ["a single word"] * 4 + ["a book page"] * 8
    assert {(s.width, s.height) for s in found[4:8]} == {(320, 200)} and found[0].width == 400
    tail = _produce(TextSet("pages", 0, Params(set=recipe(curriculum=CURRICULUM, count=16), start=6, count=4)))
    assert [s.encoded for s in tail] == [s.encoded for s in found[6:10]]


def test_a_mixed_set_writes_two_languages_on_a_page():
    mixed = recipe(languages={"en": 1, "ar": 1, "ja": 1}, mixed=1.0, sizes=[[512, 512]])
    found = [s for s in _produce(TextSet("pages", 0, Params(set=mixed, count=30))) if isinstance(s, Sample)]
    languages = [{p.language for p in s.text} for s in found]
    assert sum(len(spoken) == 2 for spoken in languages) >= 4
    inline = [s for s in found if len({p.language for p in s.text}) == 1 and "(" in s.text[-1].content]
    assert inline
    assert all(s.language in spoken for s, spoken in zip(found, languages, strict=True))


def test_photographs_stand_behind_media_and_decide_what_stands(tmp_path: Path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    changes = {"strategies": {"compositional": 1}, "photographs": str(folder), "sizes": [[320, 320]], "smallest": 8}
    source = TextSet("pages", 0, Params(set=recipe(**changes), count=4))
    with pytest.raises(StageError, match="no pictures there"):
        list(source.plan(Limits()))
    Image.new("RGB", (400, 300), (200, 30, 30)).save(folder / "red.png")
    source = TextSet("pages", 0, Params(set=recipe(**changes), count=4))
    (before,) = source.plan(Limits())
    assert any(s.meta.get("photograph") for s in _produce(source) if isinstance(s, Sample))
    Image.new("RGB", (400, 300), (30, 200, 30)).save(folder / "red.png")
    (after,) = source.plan(Limits())
    assert before.payload != after.payload


@pytest.mark.parametrize(
    "changes",
    [
        {"languages": {}},
        {"languages": {"en": -1}},
        {"sizes": [[0, 100]]},
        {"compositions": ["a bok page"]},
        {"quality": 0},
        {"format": "gif"},
        {"strategies": {}},
        {"strategies": {"pur": 1}},
        {"mixed": 0.5},
        {"coverage": {"characters": "general-standard", "at_least": 200}},
        {"coverage": {"characters": "general-standard"}, "strategies": {"complex": 1}},
        {"grounds": ["whit"]},
        {"strings": {"alphabet": "AB"}, "strategies": {"complex": 1}},
        {"curriculum": [{"until": 0.5}]},
        {"curriculum": [{"until": 0.5}, {"until": 0.4}, {"until": 1}]},
    ],
)
def test_a_set_that_cannot_be_drawn_is_refused(changes: dict):
    with pytest.raises(ValidationError):
        Recipe.model_validate(recipe(**changes))


def test_a_set_of_strings_shows_them_alone_in_the_type_and_colours_asked_for():
    strings = {"alphabet": "AB7", "length": [1, 4], "part": "train"}
    plain = {"grounds": ["white"], "inks": ["black"], "plain": True, "captions": "text", "format": "png"}
    asked = recipe(sizes=[[72, 24]], families=["Lora", "Roboto Slab"], strings=strings, smallest=8, **plain)
    found = _produce(text_set(set=asked, count=60))
    assert all(isinstance(sample, Sample) for sample in found)
    assert all(set(s.caption) <= set("AB7") and s.caption == s.text[0].content for s in found)
    assert not any(held_out(s.caption) for s in found)
    assert {f for s in found for f in s.meta["fonts"]} == {"Lora", "Roboto Slab"}
    pixels = np.asarray(Image.open(io.BytesIO(found[0].encoded)))
    assert pixels.shape == (24, 72, 3) and (pixels[0] == 255).all() and pixels.min() < 40
