import re

import numpy as np
import pytest

from stages.synthesize.captions import Captions, write
from stages.synthesize.captions.vocabulary import FOLDER, load
from stages.synthesize.scene import Said, Scene

LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def body(text: str, **facts: object) -> Said:
    return Said(text, "body", **{"ink": "navy blue", "writing": "handwritten", **facts})


def heading(text: str, **facts: object) -> Said:
    return Said(text, "heading", **{"ink": "navy blue", "writing": "handwritten", **facts})


def pure(*texts: Said, **facts: object) -> Scene:
    return Scene(
        **{"strategy": "pure", "kind": "a book page", "language": "en", "background": "ivory", **facts}, texts=texts
    )


def compositional(*texts: Said, language: str = "en") -> Scene:
    details = ("folded once", "seen at an angle", "a pencil beside it", "soft light from the upper left")
    return Scene("compositional", "a sheet of paper", language, "white paper", texts, "a wooden table", details)


def complex_(language: str = "en") -> Scene:
    texts = (
        heading("Spring sale", place="at the top", writing="serif"),
        body("From Monday", place="in the middle", ink="crimson", writing="sans-serif"),
        Said("OK", "label", "black", "sans-serif", "at the bottom right"),
    )
    return Scene("complex", "a poster", language, "orange", texts)


SCENES = [
    pure(body("Free and equal")),
    pure(heading("Rights!"), body("Free, and equal."), details=("a soft gradient",)),
    pure(body("Free"), body("frei", language="de"), language="fr"),
    compositional(heading("Free"), body("All are born equal")),
    complex_(),
]


def many(scene: Scene, language: str = "en", count: int = 120) -> list[Captions]:
    return [write(scene, np.random.default_rng(seed), language) for seed in range(count)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_stands_verbatim_in_the_order_of_reading(language: str):
    for given in SCENES:
        scene = Scene(given.strategy, given.kind, language, given.background, given.texts, given.surroundings)
        for captions in many(scene, "own", 25):
            for caption in (captions.caption, captions.long):
                places = [re.search(rf"[^\w\s]\s?{re.escape(said.text)}\s?[^\w\s]", caption) for said in scene.texts]
                assert all(places), caption
                starts = [found.start() for found in places]
                assert starts == sorted(starts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_matters_is_named_in_every_language(language: str):
    words = load(language)

    def named(group: str, name: str, caption: str) -> bool:
        return any(way.lower() in caption.lower() for way in words.words[group][name])

    for captions in many(pure(body("?"), language=language), "own", 40):
        for caption in (captions.caption, captions.long):
            for group, name in (
                ("kinds", "a book page"),
                ("colours", "ivory"),
                ("colours", "navy blue"),
                ("writing", "handwritten"),
                ("languages", language),
            ):
                assert named(group, name, caption), (name, caption)
        assert named("kinds", "a book page", captions.short)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_long_caption_says_everything(language: str):
    words = load(language)
    scene = compositional(heading("Free"), body("All are born equal"), language=language)
    for captions in many(scene, "own", 40):
        found = captions.long.lower()
        assert any(way.lower() in found for way in words.words["surroundings"]["a wooden table"])
        assert any(way.lower() in found for way in words.words["materials"]["white paper"])
        assert any(way.lower() in found for way in words.words["light"]["soft light from the upper left"])
        for detail in ("folded once", "seen at an angle", "a pencil beside it"):
            assert any(way.lower() in found for way in words.words["details"][detail])


def test_a_long_caption_says_where_each_text_is_and_what_tells_it_from_the_others():
    for captions in many(complex_()):
        assert re.search(r"At the top, heading, navy blue, [a-z ]*serif: “Spring sale”\.", captions.long)
        assert re.search(r"In the middle, text, crimson, [a-z ]*sans-serif: “From Monday”\.", captions.long)
        assert re.search(r"At the bottom right, label, black, [a-z ]*sans-serif: “OK”\.", captions.long)


def test_a_second_language_is_named():
    for captions in many(SCENES[2]):
        assert "French" in captions.caption and "German" in captions.caption
        assert "German: “frei”" in captions.long


def test_a_single_ink_is_not_claimed_of_texts_in_several():
    for captions in many(complex_()):
        assert "navy blue, crimson and black" in captions.caption


def test_captions_vary():
    assert len({captions.caption for captions in many(SCENES[0], count=300)}) > 180
    assert len({captions.caption for captions in many(compositional(body("Free")), count=300)}) > 250
    assert len({captions.short for captions in many(SCENES[0], count=300)}) >= 5


def test_a_short_caption_is_one_sentence_with_one_whole_text_or_none():
    long_text = "Free and equal in dignity. " * 20
    for captions in many(pure(body(long_text), body("No more"))):
        assert "“" not in captions.short
    for scene in SCENES:
        for captions in many(scene, count=40):
            quoted = re.findall("“(.*?)”", captions.short)
            assert len(quoted) == 1 and quoted[0] == scene.texts[0].text
            assert len(captions.short.split()) < 40
            assert "\n" not in captions.short


def test_english_grammar():
    for scene in SCENES:
        for captions in many(scene):
            for caption in (captions.caption, captions.short, captions.long):
                assert caption[0].isupper() or caption[0] == "“"
                assert "  " not in caption and ".." not in caption and " ." not in caption and " ," not in caption
                assert "a(n)" not in caption
                assert not re.search(r"\ba [aeio]", caption, re.IGNORECASE), caption
                assert not re.search(r"\ban [^aeiou]", caption, re.IGNORECASE), caption
                assert re.search(r"(?<![.!?])\.$|[.!?]”$", caption), caption
                assert all(rest[0].isupper() for rest in re.findall(r"(?<=\. )\S.*", caption))


def test_articles_go_by_the_sound():
    for captions in many(pure(body("Так"), language="uk", background="orange", kind="an open book"), count=200):
        assert "an Ukrainian" not in captions.caption
        assert "a orange" not in captions.caption.lower()


def test_a_text_keeps_its_own_full_stop_and_no_other_is_added():
    for captions in many(pure(body("Free."))):
        assert "“Free.”." not in captions.caption and captions.long.endswith("“Free.”")
    for captions in many(pure(body("Free"))):
        assert "“Free”." in captions.caption or "“Free” " in captions.caption


def test_braces_in_the_text_are_text():
    for captions in many(pure(body("{kind} {0} {} a(n) {{"))):
        assert "“{kind} {0} {} a(n) {{”" in captions.caption


def test_a_text_with_quotation_marks_stands_in_others():
    for captions in many(pure(body("She said “no”"))):
        assert "«She said “no”»" in captions.caption


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_own_captions_fall_back_as_a_whole(language: str):
    unknown = pure(body("?"), kind="a page of my own", language=language)
    for captions in many(unknown, "own", 10):
        assert "page of my own" in captions.caption and "“?”" in captions.caption
    assert many(unknown, "own", 10) == many(unknown, "en", 10)


def test_a_language_without_words_gets_english():
    assert load("tlh") is None
    assert "tlh" in write(pure(body("Qapla'"), language="tlh"), np.random.default_rng(0), "own").caption.lower()


def test_mixed_is_either():
    scene = pure(body("Frei"), language="de")
    german = ["Deutsch" in captions.caption for captions in many(scene, "mixed", 60)]
    assert 10 < sum(german) < 50


def test_the_generator_decides():
    assert many(complex_(), "mixed", 5) == many(complex_(), "mixed", 5)
