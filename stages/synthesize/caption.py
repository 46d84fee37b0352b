"""Captions of synthesized pages, from what the page is: its colours, its writing, its layout, its language, its text.

The visible text stands verbatim in quotation marks, as the report asks of captions. Templates are fixed and drawn by
the page's own generator.
"""

from collections.abc import Sequence

import numpy as np

LANGUAGES = {
    "ar": "Arabic",
    "en": "English",
    "hi": "Hindi",
    "ja": "Japanese",
    "ko": "Korean",
    "ru": "Russian",
    "th": "Thai",
    "zh-Hans": "Simplified Chinese",
    "zh-Hant": "Traditional Chinese",
}

_TEMPLATES = (
    "{Layout} with {ink} {writing} {language} text on {ground}. The text reads: {text}",
    "{Language} text, {writing} in {ink} on {ground}, set as {layout}: {text}",
    "{Ground} with the {ink} {writing} words {text} It is {layout} in {language}.",
    "A picture of {layout}. On {ground}, {ink} {writing} letters say in {language}: {text}",
    "{Layout} in {language}. {Writing} text in {ink} on {ground} says {text}",
    "{ground_only}, {ink} text, {writing}. {Layout} that reads {text}",
)
_WRITING = {
    "sans-serif": ("printed", "sans-serif", "clean sans-serif", "printed sans-serif"),
    "serif": ("printed", "serif", "printed serif", "classic serif"),
    "handwritten": ("handwritten", "hand-lettered"),
}


def page_caption(
    *,
    layout: str,
    background: str,
    gradient: bool,
    ink: str,
    style: str,
    language: str,
    paragraphs: Sequence[str],
    rng: np.random.Generator,
) -> str:
    """One sentence or two that name everything, with each paragraph verbatim in quotation marks."""
    template = _TEMPLATES[int(rng.integers(len(_TEMPLATES)))]
    writing = _WRITING[style][int(rng.integers(len(_WRITING[style])))]
    kind = "softly shaded " if gradient else ("plain " if rng.random() < 0.4 else "")
    ground = f"{_article(kind + background)} background"
    tongue = LANGUAGES.get(language, language)
    quoted = " and then ".join(f"“{p}”" for p in paragraphs)
    values = {"layout": layout, "ink": ink, "writing": writing, "language": tongue, "ground": ground}
    capitals = {name.capitalize(): value[:1].upper() + value[1:] for name, value in values.items()}
    plain = f"{kind}{background} background".capitalize()
    return template.format(**values, **capitals, ground_only=plain, text=f"{quoted}.")


def _article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
