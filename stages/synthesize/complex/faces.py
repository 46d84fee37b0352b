"""Which type a picture is set in: its families, and how a script wants to be set.

Scripts differ in how much room their lines need and in what may be done to their letters: capitals and tracking are
for alphabets that have them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from fonts.catalog import Family
from stages.synthesize.complex.nodes import Text
from stages.synthesize.typeset import Style, Typesetter

RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")
_IDEOGRAPHS = ("zh-Hans", "zh-Hant", "ja", "ko")
_CASED = ("en", "de", "fr", "es", "pt", "it", "pl", "tr", "vi", "ru", "uk")
_WEIGHTS = {"light": 300, "regular": 400, "medium": 500, "bold": 700, "black": 900}
# Em from line to line: of headings and of running text.
_PITCH = {
    "vi": (1.28, 1.5), "zh-Hans": (1.28, 1.62), "zh-Hant": (1.28, 1.62), "ja": (1.32, 1.68), "ko": (1.28, 1.6),
    "ar": (1.4, 1.65), "fa": (1.4, 1.65), "he": (1.2, 1.45), "hi": (1.4, 1.6), "bn": (1.4, 1.6), "ta": (1.4, 1.6),
    "th": (1.4, 1.62),
}  # fmt: skip
_LINE = 1.45  # em: a line takes no more room than this, whatever its font asks for
_TALLEST = 1.65  # em: what typesetting takes for a font's line where that asks for more
# The line heights of fonts, each measured once.
_HEIGHTS: WeakKeyDictionary[Typesetter, dict[tuple[str, int], float]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Line:
    """How a text's lines stand, in em. `trimmed` is the room that the font asks for above and below but does not get;
    `pitch` is from line to line."""

    style: Style
    first: float
    pitch: float
    trimmed: float

    def height(self, lines: int) -> float:
        return self.first + (lines - 1) * self.pitch


@dataclass
class Faces:
    """The families of one picture. `size` is what type sizes are multiplied with in this language."""

    setter: Typesetter
    language: str
    display: Family
    body: Family

    @property
    def size(self) -> float:
        return 0.93 if self.language in _IDEOGRAPHS else 1.0

    @property
    def mirrored(self) -> bool:
        return self.language in RIGHT_TO_LEFT

    def line(self, node: Text, text: str) -> Line:
        """How a text node's lines stand. Raises SampleError where the family cannot write the text."""
        family = self.display if node.type == "display" else self.body
        wanted = _WEIGHTS[node.weight]
        weight = min(family.weights, key=lambda w: abs(w - wanted))
        own = self._height(family, weight, text)
        first = min(own, _LINE)
        heading, running = _PITCH.get(self.language, (1.16, 1.42))
        pitch = max((heading if node.type == "display" or node.lines <= 3 else running) * node.leading, first * 0.8)
        # One line is set in the middle and moved to its side by whoever draws it: numbers and foreign words have no
        # direction, or another than the page.
        align = "center" if node.lines == 1 else node.align
        tracking = node.tracking if self.language in _CASED else 0.0
        style = Style(family, weight, align, pitch / min(own, _TALLEST), tracking)
        return Line(style, first, pitch, own - first)

    def cased(self, node: Text, text: str) -> str:
        if not node.caps or self.language not in _CASED:
            return text
        return (text.replace("i", "İ") if self.language == "tr" else text).upper()

    def _height(self, family: Family, weight: int, text: str) -> float:
        """Em that the font asks for a line."""
        known = _HEIGHTS.setdefault(self.setter, {})
        key = family.name, weight
        if key not in known:
            setting = self.setter.fit(text, self.language, Style(family, weight), 1e5, 1e3, 10, 10)
            known[key] = setting.height / setting.size
        return known[key]


def choose(
    rng: np.random.Generator,
    setter: Typesetter,
    language: str,
    families: Sequence[Family],
    display: Sequence[str],
    body: Sequence[str],
) -> Faces:
    """Families by lot, of the styles that a template wants where the language has such."""

    def of(styles: Sequence[str]) -> Sequence[Family]:
        return [f for f in families if f.style in styles] or families

    bodies = of(body)
    chosen = bodies[int(rng.integers(len(bodies)))]
    heads = of(display)
    same = chosen in heads and rng.random() < 0.5
    return Faces(setter, language, chosen if same else heads[int(rng.integers(len(heads)))], chosen)
