"""Which type a picture is set in: its families, and how a script wants to be set.

Scripts differ in how much room their lines need and in what may be done to their letters: capitals and tracking are
for alphabets that have them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np

from fonts.catalog import Family
from fonts.coverage import uncovered
from stages.synthesize.complex.fitting import Copy
from stages.synthesize.complex.nodes import Text
from stages.synthesize.typeset import Page, Style, Typesetter
from stages.synthesize.typeset.fontmap import REFERENCE
from stages.synthesize.typeset.paragraph import Draft

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
_LOWEST = 0.12  # em: a label is moved by no more than this to stand in the middle of its line
_UPRIGHT = "H0٠०০"  # what stands on the baseline and is as high as most letters: the first that a family has
_FINE = 26.0  # pixels: ideographs of smaller type need strokes of one width
_LABELS = 1024  # drafts that are kept, of labels


@dataclass(frozen=True)
class _Known:
    """What a typesetter has met: the metrics of fonts, by family and weight, and the last labels."""

    metrics: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    labels: dict[tuple[str, str, Style], Draft] = field(default_factory=dict)


_KNOWN: WeakKeyDictionary[Typesetter, _Known] = WeakKeyDictionary()


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

    def copy(self, node: Text, text: str) -> Copy:
        """The words of a text node, ready to be set. Raises SampleError where the family cannot write them."""
        family = self.display if node.type == "display" else self.body
        wanted = _WEIGHTS[node.weight]
        weight = min(family.weights, key=lambda w: abs(w - wanted))
        own, low = self._metrics(family, weight, text)
        heading, running = _PITCH.get(self.language, (1.16, 1.42))
        pitch = (heading if node.type == "display" or node.lines <= 3 else running) * node.leading
        align = "center" if node.lines == 1 else node.align
        tracking = node.tracking if self.language in _CASED else 0.0
        style = Style(family, weight, align, max(pitch, 0.8) / min(own, _TALLEST), tracking)
        said = self._cased(node, text)
        # A label is always laid out alike, so that one draft serves all pages that say it.
        labels = _KNOWN.setdefault(self.setter, _Known()).labels if node.lines == 1 else {}
        key = said, self.language, style
        draft = labels.get(key) or self.setter.draft(said, self.language, style)
        if key not in labels:
            if len(labels) >= _LABELS:
                labels.pop(next(iter(labels)))
            labels[key] = draft
        line = draft.line / REFERENCE
        first = min(line, _LINE)
        return Copy(text, draft, first, draft.pitch / REFERENCE, line - first, low if node.lines == 1 else 0.0)

    def _cased(self, node: Text, text: str) -> str:
        if not node.caps or self.language not in _CASED:
            return text
        return (text.replace("i", "İ") if self.language == "tr" else text).upper()

    def _metrics(self, family: Family, weight: int, text: str) -> tuple[float, float]:
        """Em that the font asks for a line, and how far below the line's middle that of its letters is."""
        known = _KNOWN.setdefault(self.setter, _Known()).metrics
        key = family.name, weight
        if key not in known:
            style = Style(family, weight)
            line = self.setter.draft(text, self.language, style).line / REFERENCE
            low, upright = 0.0, next((c for c in _UPRIGHT if not uncovered(family, c)), None)
            if upright:
                setting = self.setter.fit(upright, self.language, style, 200, 300, 80, 80)
                page = Page(np.zeros((400, 300, 3), np.uint8))
                ink = self.setter.draw(page, setting, 50, 50, (0, 0, 0)).lines.quads.reshape(-1, 2)[:, 1]
                low = ((ink.min() + ink.max()) / 2 - 50 - setting.height / 2) / 80
            known[key] = line, float(np.clip(low, -_LOWEST, _LOWEST))
        return known[key]


def choose(
    rng: np.random.Generator,
    setter: Typesetter,
    language: str,
    families: Sequence[Family],
    display: Sequence[str],
    body: Sequence[str],
    smallest: float,
) -> Faces:
    """Families by lot, of the styles that a template wants where the language has such. `smallest` is the size of the
    smallest type in pixels: ideographs so small are not set in families with fine strokes."""

    def of(styles: Sequence[str]) -> Sequence[Family]:
        return [f for f in families if f.style in styles] or families

    bodies = of(["sans-serif"] if language in _IDEOGRAPHS and smallest < _FINE else body)
    chosen = bodies[int(rng.integers(len(bodies)))]
    heads = of(display)
    same = chosen in heads and rng.random() < 0.5
    return Faces(setter, language, chosen if same else heads[int(rng.integers(len(heads)))], chosen)
