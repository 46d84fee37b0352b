"""Captions from the facts of a scene: an ordinary one, a short one and a long one.

A caption is an opening sentence, which names what the picture shows, and as many further ones as it takes to say the
other facts, each said once. Patterns are drawn by lot from those that say only what has not been said, so the order of
the facts and how many share a sentence are drawn too. All visible text stands verbatim in quotation marks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

import numpy as np

from stages.synthesize.captions.pattern import PLURALS, SPEAKING, Pattern
from stages.synthesize.captions.quotation import ends, quote
from stages.synthesize.captions.vocabulary import Unknown, Vocabulary, load
from stages.synthesize.scene import Said, Scene

Choice = Literal["en", "own", "mixed", "text"]
Say = Callable[[str, str], str]  # a group of the vocabulary and a name in it -> its words

_OPTIONAL = ("texture", "details", "light")  # an ordinary caption leaves some out
_QUOTED = 160  # characters: a short caption quotes no longer text


@dataclass(frozen=True)
class Captions:
    """`caption` says what matters and every text; `short` is one sentence; `long` says everything there is to know."""

    caption: str
    short: str
    long: str


def write(scene: Scene, rng: np.random.Generator, language: Choice = "en") -> Captions:
    """The captions of a scene in English, in its `own` language, or in either by lot (`mixed`); or nothing but its
    `text`.

    They are in English where the scene's language has no vocabulary, or no words for something in the scene.
    """
    if language == "text":
        said = "\n".join(text.text for text in scene.texts)
        return Captions(said, said, said)
    chance = Random(int(rng.integers(1 << 62)))
    if language == "mixed":
        language = chance.choice(("en", "own"))
    own = load(scene.language) if language == "own" else None
    if own is not None:
        try:
            return _written(scene, own, chance)
        except Unknown:
            pass
    return _written(scene, load("en"), chance)


def _written(scene: Scene, words: Vocabulary, chance: Random) -> Captions:
    @cache
    def say(group: str, name: str) -> str:
        """Always the same way: two would sound like two things."""
        return words.say(group, name, chance)

    facts = _facts(scene, words, say)
    return Captions(
        _ordinary(scene, facts, words, chance),
        _short(scene, facts, words, chance),
        _long(scene, facts, words, chance, say),
    )


def _facts(scene: Scene, words: Vocabulary, say: Say) -> dict[str, str]:
    """What is to be said, by the names that patterns use. A fact of several values has its plural name only."""
    facts = {"kind": say("kinds", scene.kind)}
    if words.has("colours", scene.background):
        facts["background"] = say("colours", scene.background)
    else:
        facts["material"] = say("materials", scene.background)
    if scene.surroundings:
        facts["surroundings"] = say("surroundings", scene.surroundings)
    details: dict[str, list[str]] = {}
    for detail in scene.details:
        group = next((group for group in ("light", "texture") if words.has(group, detail)), "details")
        details.setdefault(group, []).append(say(group, detail))
    facts |= {group: words.enumerate(said) for group, said in details.items()}
    for plural, group, values in (
        ("inks", "colours", (said.ink for said in scene.texts)),
        ("writings", "writing", (said.writing for said in scene.texts)),
        ("languages", "languages", (said.language or scene.language for said in scene.texts)),
    ):
        said = [say(group, value) for value in dict.fromkeys(values)]
        facts[plural] = words.enumerate(said)
        if len(said) == 1:
            facts[PLURALS[plural]] = said[0]
    return facts


def _ordinary(scene: Scene, facts: Mapping[str, str], words: Vocabulary, chance: Random) -> str:
    left_out = {fact for fact in _OPTIONAL if chance.random() < 0.5}
    sentences = _sentences({name: f for name, f in facts.items() if name not in left_out}, words, chance)
    says = _says(scene.texts, words, chance)
    sentences.insert(1 if chance.random() < 0.3 else len(sentences), says)
    return words.joint.join(sentences)


def _sentences(facts: Mapping[str, str], words: Vocabulary, chance: Random) -> list[str]:
    """Sentences that say every fact once."""
    unsaid = {PLURALS.get(name, name) for name in facts}
    pattern = _choose(words.patterns["opening"], facts, unsaid, chance)
    sentences = [words.capital(pattern.fill(facts))]
    unsaid -= pattern.facts
    while unsaid:
        pattern = _choose(words.patterns["facts"], facts, unsaid, chance)
        sentences.append(words.capital(pattern.fill(facts)))
        unsaid -= pattern.facts
    return sentences


def _choose(patterns: Iterable[Pattern], facts: Mapping[str, str], unsaid: set[str], chance: Random) -> Pattern:
    """One of the patterns that say nothing else; those that say more come sooner."""
    usable = [p for p in patterns if p.facts <= unsaid and p.names <= facts.keys()]
    return chance.choices(usable, [len(p.facts) ** 1.5 for p in usable])[0]


def _says(texts: Sequence[Said], words: Vocabulary, chance: Random) -> str:
    """A sentence with all texts in the order of reading."""
    quoted = [quote(said.text, words.quotes) for said in texts]
    if len(texts) == 1:
        values = {"text": quoted[0]}
    elif texts[0].role == "heading" and chance.random() < 0.7:
        values = {"heading": quoted[0], "texts": words.enumerate(quoted[1:])}
    else:
        values = {"texts": words.enumerate(quoted)}
    pattern = chance.choice([p for p in words.patterns["says"] if p.names == values.keys()])
    return words.capital(pattern.fill(values, ends(texts[-1].text)))


def _short(scene: Scene, facts: Mapping[str, str], words: Vocabulary, chance: Random) -> str:
    """One sentence that names the kind, and quotes the heading or else the only or first text unless it is long."""
    main = next((said for said in scene.texts if said.role == "heading"), scene.texts[0])
    values = dict(facts)
    if len(main.text) <= _QUOTED:
        name = "heading" if main.role == "heading" else "text" if len(scene.texts) == 1 else "texts"
        values[name] = quote(main.text, words.quotes)
    speaking = values.keys() & SPEAKING
    usable = [p for p in words.patterns["short"] if p.names <= values.keys() and p.names & SPEAKING == speaking]
    return words.capital(chance.choice(usable).fill(values, bool(speaking) and ends(main.text)))


def _long(scene: Scene, facts: Mapping[str, str], words: Vocabulary, chance: Random, say: Say) -> str:
    """Every fact, and then each text with its place, its role, and what tells it from the others."""
    sentences = _sentences(facts, words, chance)
    for said in scene.texts:
        about = [say("roles", said.role)]
        if said.place:
            about.insert(0, say("places", said.place))
        if "ink" not in facts:
            about.append(say("colours", said.ink))
        if "writing" not in facts:
            about.append(say("writing", said.writing))
        if "language" not in facts:
            about.append(say("languages", said.language or scene.language))
        values = {"facts": words.comma.join(about), "text": quote(said.text, words.quotes)}
        sentences.append(words.capital(words.line.fill(values, ends(said.text))))
    return words.joint.join(sentences)
