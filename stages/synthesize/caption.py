"""Captions of synthesized pages, from what the page is: its colours, its writing, its layout, its language, its text.

The visible text stands verbatim in quotation marks, as the report asks of captions. Templates are fixed and drawn by
the page's own generator.
"""

from collections.abc import Sequence

import numpy as np

from stages.synthesize.scene import Scene

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

# A capital letter at a name's beginning asks for one at the value's. `says` brings the text and its own full stop.
_TEMPLATES = (
    "{Layout} with {ink} {writing} {language} text on {ground}. {Says}",
    "{Layout} in {language}, set in {ink} {writing} type on {ground}. {Says}",
    "{Layout}: {ink} {writing} {language} letters on {ground}. {Says}",
    "{Language} text in {ink} {writing} letters on {ground}, arranged as {layout}. {Says}",
    "On {ground} stands {language} text in {ink}, {writing}, as {layout}. {Says}",
    "A picture of {layout}. The {language} text is {ink} and {writing}, on {ground}. {Says}",
    "An image of {layout}, {ink} on {ground}. The type is {writing}, the language {language}. {Says}",
    "{Ground} with {ink} {writing} {language} type, composed as {layout}. {Says}",
)
_SAYS = (
    "it reads {text}",
    "it says {text}",
    "the text reads {text}",
    "the text says {text}",
    "one can read {text}",
)
_JOINED = ("{first} and then {second}", "{first}, followed by {second}", "{first}, and below it {second}")
_HEADED = ("{first} as the headline above {second}", "{first} at the top, and below it {second}")
_WRITING = {
    "sans-serif": ("sans-serif", "clean sans-serif", "plain sans-serif", "printed sans-serif"),
    "serif": ("serif", "printed serif", "classic serif", "bookish serif"),
    "handwritten": ("handwritten", "hand-lettered", "casually handwritten"),
}
_STOPS = ".!?\u3002\uff01\uff1f\u0964\u061f"


def write(scene: Scene, rng: np.random.Generator) -> str:
    """Two or three sentences that name everything, with each paragraph verbatim in quotation marks."""
    paragraphs = [said.text for said in scene.texts]

    def one_of(choices: Sequence[str]) -> str:
        return choices[int(rng.integers(len(choices)))]

    text = f"“{paragraphs[0]}”"
    for number, paragraph in enumerate(paragraphs[1:]):
        pattern = one_of(_HEADED if scene.texts[0].role == "heading" and number == 0 else _JOINED)
        text = pattern.format(first=text, second=f"“{paragraph}”")
    stop = "" if paragraphs[-1][-1] in _STOPS and text.endswith("”") else "."
    kind = "softly shaded " if "softly shaded" in scene.details else one_of(("", "", "plain "))
    values = {
        "layout": scene.kind,
        "ink": scene.texts[-1].ink,
        "writing": one_of(_WRITING[scene.texts[-1].writing]),
        "language": LANGUAGES.get(scene.language, scene.language),
        "ground": f"{_article(kind + scene.background)} background",
        "says": one_of(_SAYS).format(text=text) + stop,
    }
    capitals = {name.capitalize(): value[:1].upper() + value[1:] for name, value in values.items()}
    return one_of(_TEMPLATES).format(**values, **capitals)


def _article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
