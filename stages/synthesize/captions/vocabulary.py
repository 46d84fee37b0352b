"""The words of one language for captions: `<language>.yaml` beside this file.

Names of things are plain English phrases; a vocabulary says each in its own language, in the form that its patterns
need. A value that is a list holds ways to say the same. `{colour}` in a name stands for every colour of the vocabulary.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import yaml

from stages.synthesize.captions.pattern import Pattern
from stages.synthesize.captions.quotation import Marks

FOLDER = Path(__file__).parent
GROUPS = (
    "kinds", "colours", "materials", "surroundings", "light", "texture", "details", "writing", "languages", "places",
    "roles",
)  # fmt: skip
PATTERNS = ("opening", "facts", "says", "short")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unknown(LookupError):
    """A vocabulary has no words for a thing."""


@dataclass(frozen=True)
class Vocabulary:
    """`joint` stands between sentences, `comma` and `last` between the parts of an enumeration, `line` is how one text
    of a long caption is said. `open`: a name that it lacks stands for itself, as English ones do in English."""

    language: str
    words: Mapping[str, Mapping[str, tuple[str, ...]]]
    patterns: Mapping[str, tuple[Pattern, ...]]
    quotes: tuple[Marks, ...]
    joint: str
    comma: str
    last: str
    line: Pattern
    open: bool

    def has(self, group: str, name: str) -> bool:
        return name in self.words[group]

    def say(self, group: str, name: str, chance: Random) -> str:
        """One of the ways to say a name. Raises Unknown."""
        found = self.words[group].get(name)
        if found is None:
            if self.open:
                return name
            raise Unknown(f"{self.language}: no words for {name!r} among the {group}")
        return found[0] if len(found) == 1 else chance.choice(found)

    def enumerate(self, parts: list[str]) -> str:
        if len(parts) < 2:
            return "".join(parts)
        return self.comma.join(parts[:-1]) + self.last + parts[-1]

    def capital(self, sentence: str) -> str:
        """The sentence with a capital where it begins with a letter."""
        first = "İ" if self.language == "tr" and sentence.startswith("i") else sentence[:1].upper()
        return first + sentence[1:]


@cache
def load(language: str) -> Vocabulary | None:
    """The vocabulary of a language; None where there is none."""
    path = FOLDER / f"{language}.yaml"
    if not path.is_file():
        return None
    data = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    colours = {name: _ways(ways) for name, ways in data["colours"].items()}
    return Vocabulary(
        language,
        {group: dict(_expanded(data[group], colours)) for group in GROUPS},
        {kind: tuple(Pattern.parse(text) for text in data["patterns"][kind]) for kind in PATTERNS},
        tuple(tuple(marks) for marks in data["quotes"]),
        data["joint"],
        data["comma"],
        data["last"],
        Pattern.parse(data["line"]),
        data.get("open", False),
    )


def _ways(said: str | list[str]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said)


def _expanded(
    words: Mapping[str, str | list[str]], colours: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, said in words.items():
        if "{colour}" not in name:
            yield name, _ways(said)
            continue
        for colour, ways in colours.items():
            said_so = tuple(way.replace("{colour}", c) for way in _ways(said) for c in ways)
            yield name.replace("{colour}", colour), said_so
