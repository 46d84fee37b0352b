"""Expressions: the words of a template, with slots that a picture's supply fills.

`{price}` or `{fill:price}` is filled by kind, `{name:20}` with at most 20 characters, `{heading:40}` and
`{passage:80-160}` come from the corpus, `{count:1-99}` is a whole number by lot, `{n}` counts the items of a repeat,
`{n:2015}` counts from there, and `{day}` is the day of the week of that number. `{shop=company}` gives a filled slot a
name and `{shop}` says it again. What stands outside of slots is drawn in every language, so it must not hold letters.
"""

import re
from dataclasses import dataclass

from dataengine.config import suggest
from dataengine.errors import SampleError
from stages.synthesize.words import fill
from stages.synthesize.words.digits import localized
from stages.synthesize.words.supply import Supply

FILLED = ("title", "sentence", "word", *sorted(fill.KINDS))
OWN = ("heading", "passage", "count", "n", "day")
KINDS = (*FILLED, *OWN)
_LENGTHS = {"title": 40, "sentence": 90, "word": 14, "button": 16, "menu": 14, "label": 18, "product": 28, "dish": 30}
_HEADINGS = ("heading", "title")
_BODIES = ("passage", "sentence")
_SLOT = re.compile(r"\{([^{}]*)\}")
_INNER = re.compile(r"(?:(?P<name>\w+)=)?(?:fill:)?(?P<kind>\w+)(?::(?P<low>\d+)(?:-(?P<high>\d+))?)?")
_TRIES = 6  # until a text differs from those on the page
_ORDINARY = ("word", "button", "menu", "label", "heading", "passage", "title", "sentence", "product", "dish", "name")


@dataclass(frozen=True)
class Slot:
    """A place to be filled. `kind` is empty where a named one is said again."""

    kind: str
    name: str | None = None
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Expression:
    """Literal pieces and slots, in order."""

    pieces: tuple[str | Slot, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Slot))

    @property
    def role(self) -> str:
        """What it is among the page's texts: a heading, body text, or a label."""
        kinds = {slot.kind for slot in self.slots}
        return "heading" if kinds & set(_HEADINGS) else "body" if kinds & set(_BODIES) else "label"


def parse(text: str) -> Expression:
    """Read an expression. Raises ValueError that says what is wrong with it. A slot without a kind of its own may be a
    name: whether it is one, `check_names` finds out when the whole template is known."""
    pieces: list[str | Slot] = []
    place = 0
    for match in _SLOT.finditer(text):
        pieces.append(text[place : match.start()])
        place = match.end()
        inner = _INNER.fullmatch(match[1].strip())
        if not inner:
            raise ValueError(f"{match[0]} is not a placeholder; write for instance {{price}} or {{passage:80-160}}")
        kind, name = inner["kind"], inner["name"]
        low, high = (int(inner[key]) if inner[key] else None for key in ("low", "high"))
        if kind not in KINDS:
            if name or low is not None:
                raise ValueError(f"unknown placeholder {match[0]}{suggest(kind, KINDS)}; known: {', '.join(KINDS)}")
            kind, name = "", kind
        if kind in ("passage", "count") and (low is None or high is None or low > high):
            raise ValueError(f"{match[0]} needs a range, such as {{{kind}:20-60}}")
        if kind == "heading" and low is None:
            raise ValueError(f"{match[0]} needs its longest length, such as {{heading:40}}")
        pieces.append(Slot(kind, name, low, high))
    pieces.append(text[place:])
    for piece in pieces:
        if isinstance(piece, str) and any(c.isalpha() or c in "{}" for c in piece):
            raise ValueError(f"{piece!r} is the same in every language: only numbers and symbols may stand so")
    return Expression(tuple(piece for piece in pieces if piece != ""))


class Scope:
    """The values of named slots, and the texts that the page has already. A repeat's item has a scope within it."""

    def __init__(self, supply: Supply, outer: "Scope | None" = None, number: int = 1) -> None:
        self.supply = supply
        self.outer = outer
        self.number = number
        self.values: dict[str, str] = {}
        self.used: set[str] = outer.used if outer else set()

    def within(self, number: int) -> "Scope":
        return Scope(self.supply, self, number)

    def value(self, name: str) -> str | None:
        return self.values.get(name) or (self.outer.value(name) if self.outer else None)

    def say(self, expression: Expression, share: float = 1.0) -> str:
        """The expression with its slots filled; `share` of the lengths it asks for. Raises SampleError where a named
        slot is said before it is filled."""
        return "".join(p if isinstance(p, str) else self._fill(p, share) for p in expression.pieces).strip()

    def _fill(self, slot: Slot, share: float) -> str:
        known = self.value(slot.name) if slot.name else None
        if known is not None:
            return known
        if not slot.kind:
            raise SampleError(f"{{{slot.name}}} is said before it is filled")
        text = ""
        for _ in range(_TRIES):
            text = self._draw(slot, share)
            if text not in self.used or slot.kind not in _ORDINARY:
                break
        self.used.add(text)
        if slot.name:
            self.values[slot.name] = text
        return text

    def _draw(self, slot: Slot, share: float) -> str:
        supply = self.supply
        if slot.kind == "n":
            return localized(str(self.number - 1 + (1 if slot.low is None else slot.low)), supply.language)
        if slot.kind == "day":
            return fill.day(self.number, supply.language)
        if slot.kind == "count":
            return localized(str(int(supply.rng.integers(slot.low, slot.high + 1))), supply.language)
        if slot.kind == "passage":
            return supply.passage(round(slot.low * share), round(slot.high * share))
        longest = max(3, round((slot.low or _LENGTHS.get(slot.kind, 40)) * share))
        return supply.heading(longest) if slot.kind == "heading" else supply.fill(slot.kind, longest)
