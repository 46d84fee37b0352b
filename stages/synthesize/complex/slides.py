"""Slides of a .pptx as templates: its text frames become placeholders, what else is on a slide stays as it is.

A title becomes a heading and any other text a passage of about the original's length, in the frame's box, alignment,
size, weight and colour. Filled shapes and pictures are painted below them; a table's cells become words and numbers.
The slide's own colours are kept; where a text could not be read on what is behind it, its ink is made darker or
lighter. What python-pptx does not resolve (sizes and colours that a text takes from its layout, its master or the
theme) is looked up here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lxml import etree

from dataengine.errors import ManifestError, StageError
from stages.synthesize.complex import nodes
from stages.synthesize.complex.nodes import Node
from stages.synthesize.complex.slots import Expression, parse
from stages.synthesize.complex.template import Template

_EMU_A_POINT = 12700
_TITLES = ("title", "ctrTitle")
_PLAIN_SIZE = 18.0  # points: where neither the text nor anything above it says
_SHORT = 24  # characters: a text that is no longer is a label
_STRETCH = 1.15  # a slide serves pictures whose sides are so much nearer or farther from each other
_NAMES = {
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
}
_THEME = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/theme"
# What a slide calls the colours of its theme.
_SCHEME = {"tx1": "dk1", "bg1": "lt1", "tx2": "dk2", "bg2": "lt2"}
_ALIGN = {"ctr": "center", "r": "end", "just": "justify", "dist": "justify"}
_ANCHOR = {"ctr": "center", "b": "end"}


def read(path: Path) -> tuple[Template, ...]:
    """A template for each slide that has text. Raises ManifestError that names the file when it cannot be read, and
    StageError when python-pptx is missing."""
    try:
        from pptx import Presentation
        from pptx.exc import PythonPptxError
    except ImportError:
        raise StageError(f"{path}: python-pptx is missing, which reads slides", "pip install python-pptx") from None
    try:
        presentation = Presentation(str(path))
        slides = list(presentation.slides)
        size = int(presentation.slide_width), int(presentation.slide_height)
        found = [_Slide(slide, size).template(f"{path}, slide {number}") for number, slide in enumerate(slides, 1)]
    except (PythonPptxError, OSError, KeyError, ValueError, etree.XMLSyntaxError) as error:
        raise ManifestError(f"{path}: not a .pptx that can be read: {error}", "save it anew from its editor") from None
    templates = tuple(template for template in found if template)
    if not templates:
        raise ManifestError(f"{path}: no slide of it has text", "give slides with text frames or tables")
    return templates


@dataclass(frozen=True)
class _Frame:
    """Where a shape stands, in the slide's units: left, top, width, height."""

    left: float
    top: float
    width: float
    height: float

    def within(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """In hundredths of the slide, and not beyond its edges."""
        left, top = max(0.0, self.left / size[0]), max(0.0, self.top / size[1])
        right = min(1.0, (self.left + self.width) / size[0])
        bottom = min(1.0, (self.top + self.height) / size[1])
        return left * 100, top * 100, max(0.0, right - left) * 100, max(0.0, bottom - top) * 100


class _Slide:
    """One slide, read into nodes."""

    def __init__(self, slide: Any, size: tuple[int, int]) -> None:
        self.slide = slide
        self.size = size
        self.master = slide.slide_layout.slide_master
        part = self.master.part.part_related_by(_THEME)
        scheme = etree.fromstring(part.blob).find(".//a:clrScheme", _NAMES)
        self.scheme = {
            etree.QName(entry).localname: (entry[0].get("val") or "") if len(entry) else "" for entry in scheme
        }
        for entry in scheme:
            system = entry.find("a:sysClr", _NAMES)
            if system is not None:
                self.scheme[etree.QName(entry).localname] = system.get("lastClr", "000000")

    def template(self, file: str) -> Template | None:
        """The slide as a template; None where it has no text."""
        below: list[Node] = []
        texts: list[Node] = []
        for shape, frame in _shapes(self.slide.shapes, _Frame(0, 0, *self.size)):
            at = frame.within(self.size)
            if at[2] <= 0 or at[3] <= 0:
                continue
            painted = self._painted(shape, at)
            below += [painted] if painted else []
            written = self._written(shape, at)
            texts += [written] if written else []
        if not texts:
            return None
        aspect = self.size[0] / self.size[1]
        return Template(
            name="a presentation slide",
            aspect=(aspect / _STRETCH, aspect * _STRETCH),
            themes=["light"],
            body=["sans-serif"],
            display=["sans-serif"],
            page=nodes.Stack(stack=below + texts, background=self._background()),
            file=file,
        )

    # ---- what is painted ----

    def _background(self) -> str:
        for owner in (self.slide, self.slide.slide_layout, self.master):
            properties = owner._element.find("p:cSld/p:bg/p:bgPr", _NAMES)
            found = self._fill(properties)
            if found:
                return found
            reference = owner._element.find("p:cSld/p:bg/p:bgRef", _NAMES)
            if reference is not None and (found := self._colour(reference)):
                return found
        return "white"

    def _painted(self, shape: Any, at: tuple[float, float, float, float]) -> Node | None:
        """The node of a picture or a filled shape; None for what has neither."""
        if hasattr(shape, "image"):
            return nodes.Drawing(image_file=shape.image.blob, at=at)
        properties = shape._element.find(".//p:spPr", _NAMES)
        fill = self._fill(properties)
        line = properties.find("a:ln", _NAMES) if properties is not None else None
        border = self._fill(line)
        if not fill and not border:
            return None
        geometry = properties.find("a:prstGeom", _NAMES)
        kind = geometry.get("prst", "") if geometry is not None else ""
        if kind == "ellipse" and fill:
            return nodes.Shape(
                shape=("circle",) if abs(shape.width / shape.height - 1) < 0.1 else ("pill",), colour=fill, at=at
            )
        side = min(shape.width, shape.height) / min(self.size) * 100
        radius = side * 0.16 if kind.startswith("round") else 0.0
        return nodes.Stack(stack=[], background=fill, border=border, radius=radius, at=at)

    def _fill(self, properties: Any) -> str | None:
        """The solid fill among an element's children; the first colour of a gradient."""
        if properties is None:
            return None
        solid = properties.find("a:solidFill", _NAMES)
        if solid is None:
            solid = properties.find("a:gradFill/a:gsLst/a:gs", _NAMES)
        return self._colour(solid) if solid is not None else None

    def _colour(self, holder: Any) -> str | None:
        """The colour below an element as `#rrggbb`, made lighter or darker as it says."""
        plain = holder.find("a:srgbClr", _NAMES)
        named = holder.find("a:schemeClr", _NAMES)
        if plain is not None:
            value, element = plain.get("val"), plain
        elif named is not None:
            name = named.get("val")
            value, element = self.scheme.get(_SCHEME.get(name, name), ""), named
        else:
            return None
        if len(value or "") != 6:
            return None
        rgb = np.array([int(value[i : i + 2], 16) for i in (0, 2, 4)], float)
        for child in element:
            share = int(child.get("val", "100000")) / 100000
            kind = etree.QName(child).localname
            if kind in ("lumMod", "shade"):
                rgb *= share
            elif kind == "lumOff":
                rgb += 255 * share
            elif kind == "tint":
                rgb = 255 - (255 - rgb) * share
        return "#" + "".join(f"{round(c):02x}" for c in np.clip(rgb, 0, 255))

    # ---- what is written ----

    def _written(self, shape: Any, at: tuple[float, float, float, float]) -> Node | None:
        if getattr(shape, "has_table", False) and shape.has_table:
            return self._table(shape.table, at)
        if not getattr(shape, "has_text_frame", False):
            return None
        paragraphs = [p for p in shape.text_frame.paragraphs if p.text.strip()]
        if not paragraphs:
            return None
        body = shape.text_frame._txBody.find("a:bodyPr", _NAMES)
        texts = [self._text(shape, paragraph, body) for paragraph in paragraphs]
        inset = 100 / min(self.size)
        sides = [int(body.get(key, default)) * inset for key, default in _INSETS]
        kind = self._kind(shape)
        anchor = body.get("anchor") or ("ctr" if kind in _TITLES else "t")
        return nodes.Column(
            column=texts, at=at, padding=tuple(sides), justify=_ANCHOR.get(anchor, "start"), gap=texts[0].size[1] * 0.4
        )

    def _kind(self, shape: Any) -> str:
        """The kind of a placeholder as the file names it, such as `title`; empty for any other shape."""
        place = shape._element.find(".//p:nvPr/p:ph", _NAMES)
        return place.get("type", "body") if place is not None else ""

    def _text(self, shape: Any, paragraph: Any, body: Any) -> nodes.Text:
        """A paragraph as a text node, as its run, its frame, its layout and its master say."""
        title = self._kind(shape) in _TITLES
        runs = paragraph._p.findall("a:r/a:rPr", _NAMES)
        level = paragraph.level + 1
        above = list(self._levels(shape, level))
        own = paragraph._p.find("a:pPr", _NAMES)
        holders = [*runs[:1], *(h for h in (style.find("a:defRPr", _NAMES) for style in above) if h is not None)]
        points = next((int(h.get("sz")) / 100 for h in holders if h.get("sz")), _PLAIN_SIZE)
        shrunk = body.find("a:normAutofit", _NAMES)
        points *= int(shrunk.get("fontScale", "100000")) / 100000 if shrunk is not None else 1
        bold = next((h.get("b") in ("1", "true") for h in holders if h.get("b")), False)
        colour = next(filter(None, (self._fill(h) for h in holders)), "black")
        align = next((s.get("algn") for s in [own, *above] if s is not None and s.get("algn")), "l")
        size = points * _EMU_A_POINT / min(self.size) * 100
        text = " ".join(paragraph.text.split())
        return nodes.Text(
            text=_words(text, title),
            size=(size * 0.5, size),
            weight="bold" if bold else "regular",
            align=_ALIGN.get(align, "start"),
            colour=colour,
            lines=max(2, min(40, len(text) // 12)) if len(text) > _SHORT or title else 1,
            type="display" if title else "body",
            role="heading" if title else None,
        )

    def _levels(self, shape: Any, level: int) -> Iterator[Any]:
        """The paragraph styles of a level that a frame's text takes what it does not say from, the nearest first."""
        name = f"a:lvl{level}pPr"
        frames = [shape._element]
        kind = self._kind(shape)
        if kind:
            index = shape.placeholder_format.idx
            for owner in (self.slide.slide_layout, self.master):
                for place in owner.placeholders:
                    same = self._kind(place)
                    if place.placeholder_format.idx == index or same == kind or {same, kind} <= {"title", "ctrTitle"}:
                        frames.append(place._element)
                        break
        for frame in frames:
            found = frame.find(f".//a:lstStyle/{name}", _NAMES)
            if found is not None:
                yield found
        group = "titleStyle" if kind in _TITLES else "bodyStyle" if kind else "otherStyle"
        found = self.master._element.find(f"p:txStyles/p:{group}/{name}", _NAMES)
        if found is not None:
            yield found

    def _table(self, table: Any, at: tuple[float, float, float, float]) -> Node | None:
        rows = [[" ".join(cell.text.split()) for cell in row.cells] for row in table.rows]
        if len(rows) < 2:
            return None
        total = sum(column.width for column in table.columns)
        cells = []
        for number, column in enumerate(table.columns):
            below = max((row[number] for row in rows[1:]), key=len)
            numeric = not any(c.isalpha() for c in below)
            cells.append(
                nodes.Cells(
                    head=_words(rows[0][number] or "-", False),
                    cell=parse("{number}") if numeric else _words(below, False),
                    width=column.width / total * len(table.columns),
                    align="end" if numeric else "start",
                )
            )
        count = len(rows) - 1
        high = min(3.0, at[3] * self.size[1] / min(self.size) / len(rows) * 0.45)
        return nodes.Table(
            table=cells,
            rows=(count, count),
            header="filled",
            tint="#" + (self.scheme.get("accent1") or "4472c4"),
            at=at,
            size=(high * 0.5, high),
            padding=(0.4, 1, 0.4, 1),
            flex=1,
        )


_INSETS = (("tIns", "45720"), ("rIns", "91440"), ("bIns", "45720"), ("lIns", "91440"))


def _shapes(shapes: Sequence[Any], within: _Frame) -> Iterator[tuple[Any, _Frame]]:
    """All shapes, those of groups too, with where they stand on the slide."""
    for shape in shapes:
        if shape.width is None or shape.left is None:
            continue
        frame = _Frame(shape.left, shape.top, shape.width, shape.height)
        if hasattr(shape, "shapes"):
            child = shape._element.grpSpPr.find("a:xfrm", _NAMES)
            begin, extent = child.find("a:chOff", _NAMES), child.find("a:chExt", _NAMES)
            across = frame.width / max(1, int(extent.get("cx")))
            down = frame.height / max(1, int(extent.get("cy")))
            for inner, place in _shapes(shape.shapes, within):
                x = frame.left + (place.left - int(begin.get("x"))) * across
                y = frame.top + (place.top - int(begin.get("y"))) * down
                yield inner, _Frame(x, y, place.width * across, place.height * down)
        else:
            yield shape, frame


def _words(text: str, title: bool) -> Expression:
    """What is said in place of a text: something of its length."""
    dense = sum("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" for c in text)
    length = max(4, round(len(text) + dense * 1.5))  # ideographs say more with fewer characters
    if not any(c.isalpha() for c in text):
        return parse("{number}")
    if title:
        return parse(f"{{heading:{length}}}")
    if length <= _SHORT:
        return parse(f"{{label:{length}}}")
    return parse(f"{{passage:{round(length * 0.6)}-{round(length * 1.1)}}}")
