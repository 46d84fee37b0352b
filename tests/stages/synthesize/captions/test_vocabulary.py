from random import Random

import pytest

from fonts import catalog
from stages.synthesize import complex, palette
from stages.synthesize.backgrounds import FIELDS
from stages.synthesize.captions.pattern import PLURALS, SPEAKING
from stages.synthesize.captions.vocabulary import FOLDER, GROUPS, PATTERNS, Unknown, load
from stages.synthesize.composition import COMPOSITIONS
from stages.synthesize.compositional import clutter, light, media, scenes

LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
FACTS = ("background", "material", "surroundings", "light", "texture", "details", "ink", "writing", "language")
NAMES = {
    "kinds": [
        *(composition.name for composition in COMPOSITIONS),
        *(medium.name for medium in media.MEDIA),
        *(template.name for template in complex.templates()),
        "a textured surface",
        "a presentation slide",
    ],
    "colours": [*palette.COLOURS, *media.INKS],
    "surroundings": [*scenes.PLACES, "a photograph"],
    "light": [light.Light(source, (0, 0), 0, 0).phrase for source in light._FROM],
    "texture": list(FIELDS),
    "details": [f"{thing} beside it" for thing in clutter._THINGS],
    "writing": [family.style for family in catalog.families()],
    "languages": [language for family in catalog.families() for language in family.languages],
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("group", NAMES)
def test_every_name_in_use_has_words(language: str, group: str):
    missing = {name for name in NAMES[group] if not load(language).has(group, name)}
    assert not missing, f"add them to {language}.yaml"


@pytest.mark.parametrize("language", LANGUAGES)
def test_vocabularies_have_the_same_names(language: str):
    for group in GROUPS:
        assert set(load(language).words[group]) == set(load("en").words[group]), group


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_clean(language: str):
    words = load(language)
    for group in GROUPS:
        for ways in words.words[group].values():
            for way in ways:
                assert way and way == way.strip() and "  " not in way
                assert not set(way) & set("{}\n.。") and "|" not in way


@pytest.mark.parametrize("language", LANGUAGES)
def test_patterns_can_say_everything(language: str):
    words = load(language)
    plurals = {singular: plural for plural, singular in PLURALS.items()}
    assert any(pattern.names == {"kind"} for pattern in words.patterns["opening"])
    assert all("kind" in pattern.facts for pattern in words.patterns["opening"])
    for fact in FACTS:
        assert any(pattern.names == {plurals.get(fact, fact)} for pattern in words.patterns["facts"]), fact
    for names in ({"text"}, {"texts"}, {"heading", "texts"}):
        assert any(pattern.names == names for pattern in words.patterns["says"]), names
    for name in (*SPEAKING, None):
        wanted = {name} - {None}
        several = {"kind", *PLURALS} | wanted
        assert any(p.names & SPEAKING == wanted and p.names <= several for p in words.patterns["short"]), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_patterns_use_known_names_and_end_in_a_stop(language: str):
    """Thai has no stop: a space parts its sentences."""
    words = load(language)
    known = {"kind", *FACTS, *PLURALS, *SPEAKING}
    for kind in PATTERNS:
        for pattern in words.patterns[kind]:
            assert pattern.names <= known, pattern
            if language != "th":
                assert pattern.pieces[-1][1] is None and pattern.pieces[-1][0][-1] in ".。।", pattern
            assert len(pattern.names) == sum(name is not None for _, name in pattern.pieces), "each fact once"
    assert words.line.names == {"facts", "text"}


def test_a_missing_name_is_unknown_but_stands_for_itself_in_english():
    with pytest.raises(Unknown, match="a page of my own"):
        load("de").say("kinds", "a page of my own", Random(0))
    assert load("en").say("kinds", "a page of my own", Random(0)) == "a page of my own"


def test_a_colour_in_a_name_stands_for_all():
    assert load("en").say("materials", "navy blue fabric", Random(0)) == "navy blue fabric"
    assert load("de").say("materials", "navy blue fabric", Random(0)) == "Stoff (marineblau)"
