"""The annotation of what was typeset: paragraphs as samples hold them."""

from collections.abc import Iterable

from dataengine.sample import Paragraph
from stages.synthesize.typeset import Geometry, Setting, main_script


def paragraphs(drawn: Iterable[tuple[Setting, Geometry]]) -> tuple[Paragraph, ...]:
    """A paragraph for each setting, in reading order. Ruby is a paragraph of its own after the one that it reads."""
    found: list[Paragraph] = []
    for setting, geometry in drawn:
        found.append(_paragraph(setting.text, setting, setting.size, geometry, len(found)))
        if geometry.ruby:
            text = "".join(geometry.ruby.lines.texts)
            found.append(_paragraph(text, setting, setting.size / 2, geometry.ruby, len(found)))
    return tuple(found)


def _paragraph(text: str, setting: Setting, size: float, geometry: Geometry, order: int) -> Paragraph:
    lent = (a.family.name for a in setting.draft.accents if a.family)
    return Paragraph(
        content=text,
        language=setting.language,
        script=main_script(text),
        font=", ".join(dict.fromkeys([f"{setting.style.family.name} {setting.style.weight}", *lent])),
        size=round(size, 2),
        order=order,
        lines=geometry.lines,
        words=geometry.words,
        characters=geometry.characters,
    )
