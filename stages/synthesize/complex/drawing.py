"""Complex rendering: a template by lot, a theme, its words, laid out and drawn, with every text's place."""

from collections.abc import Sequence

import cv2
import numpy as np

from dataengine.errors import ManifestError, SampleError
from fonts.catalog import Family
from stages.synthesize import annotation
from stages.synthesize.complex import charts, faces, icons, layout, nodes, paint, pictures, shapes, theme
from stages.synthesize.complex.blocks import Builder
from stages.synthesize.complex.faces import Faces
from stages.synthesize.complex.layout import Layout, Placed
from stages.synthesize.complex.library import suiting
from stages.synthesize.complex.nodes import Container, Text
from stages.synthesize.complex.paint import Rect
from stages.synthesize.complex.slots import Scope
from stages.synthesize.complex.template import Template
from stages.synthesize.complex.theme import Theme
from stages.synthesize.palette import Colour
from stages.synthesize.scene import Drawn, Said, Scene
from stages.synthesize.typeset import Geometry, Glyphs, Page, Typesetter
from stages.synthesize.words.supply import Supply

_ENLARGED = 1.45  # how many times larger than meant the smallest type of a template may be
# How crowded a page is and how large its type, of what the template asks, and how dark a picture behind white text:
# less and darker at each try that did not fit or could not be read.
_TRIES = ((1.0, 1.0, 0.6), (0.8, 0.95, 0.66), (0.55, 0.9, 0.72), (0.3, 0.85, 0.78), (0.1, 0.8, 0.84), (0.0, 0.75, 0.9))
_SAMPLES = 24  # pixels each way that the ground behind a text is judged by
# Type of so many pixels is given so many times the contrast, where it can be had.
_SMALL, _MORE = (12.0, 36.0), (1.6, 1.0)
_ABOVE = 0.2  # of a line: above and below its letters
# From sRGB to the relative luminance of WCAG.
_LINEAR = np.where(np.arange(256) <= 10, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4)
_WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


def draw(
    rng: np.random.Generator,
    *,
    setter: Typesetter,
    supply: Supply,
    families: Sequence[Family],
    size: tuple[int, int],
    smallest: float,
    contrast: float,
    templates: Sequence[Template],
) -> Drawn:
    """Draw one of the templates that suit `size` (width, height). No type is smaller than `smallest` pixels an em, and
    every text reaches the WCAG ratio `contrast` on what is behind it. Raises SampleError that names template and node
    when that cannot be."""
    choices = suiting(templates, *size)
    # Those whose type would be far larger than meant are for larger pictures.
    choices = [t for t in choices if t.smallest * min(size) / 100 * _ENLARGED >= smallest] or choices
    template = choices[int(rng.integers(len(choices)))]
    look = theme.choose(rng, template.themes, contrast)
    small = max(smallest, template.smallest * min(size) / 100)
    problem: SampleError | None = None
    for crowd, scale, shade in _TRIES:
        chosen = faces.choose(rng, setter, supply.language, families, template.display, template.body, small)
        builder = Builder(rng, size[0] / size[1], crowd, size)
        try:
            blocks = builder.build(template.page, Scope(supply), "page")
            if not blocks:
                raise ManifestError(f"{template.file}: the page's node does not suit {size[0]}×{size[1]}")
            placed = Layout(chosen, size, smallest, scale).page(blocks[0])
            return _drawn(template, placed, chosen, look, size, contrast, shade, rng)
        except SampleError as error:
            problem = error
    raise SampleError(f"{template.name}: {problem.message}" if problem else template.name)


def _drawn(
    template: Template,
    placed: Sequence[Placed],
    chosen: Faces,
    look: Theme,
    size: tuple[int, int],
    contrast: float,
    shade: float,
    rng: np.random.Generator,
) -> Drawn:
    canvas = np.empty((size[1], size[0], 3), np.uint8)
    cv2.rectangle(canvas, (0, 0), size, look.colours["page"], cv2.FILLED)
    brush = _Brush(canvas, look, min(size) / 100, chosen.mirrored, shade, rng)
    for item in placed:
        brush.paint(item)
    texts = [item for item in placed if isinstance(item.block.node, Text)]
    if not texts:
        raise SampleError("the template says nothing")
    spots = [_spot(item, chosen, size[0]) for item in texts]
    inks = [
        _ink(canvas, item, brush.rect(item.rect), spot, brush.colour(item.block.node.colour, item.ground), contrast)
        for item, spot in zip(texts, spots, strict=True)
    ]
    page = Page(canvas)
    glyphs = chosen.setter.read([item.block.fitted.setting for item in texts])
    drawn = [
        (item, _write(page, item, spot, chosen, ink, own))
        for item, spot, (ink, _), own in zip(texts, spots, inks, glyphs, strict=True)
    ]
    _check_apart(drawn)
    paragraphs = annotation.paragraphs((item.block.fitted.setting, geometry) for item, geometry in drawn)
    ground = _shown(canvas, look)
    scene = Scene(
        strategy="complex",
        kind=template.name,
        language=chosen.language,
        background=theme.name_of(ground),
        texts=tuple(
            _said(item, geometry, theme.name_of(ink), size)
            for (item, geometry), (ink, _) in zip(drawn, inks, strict=True)
        ),
    )
    fonts = dict.fromkeys(item.block.fitted.setting.style.family.name for item in texts)
    meta = {
        "template": template.name,
        "theme": look.mode,
        "fonts": list(fonts),
        "contrast": [round(ratio, 2) for _, ratio in inks],
    }
    return Drawn(page.pixels(), paragraphs, scene, meta)


def _shown(canvas: np.ndarray, look: Theme) -> Colour:
    """The colour that most of the picture has: the commonest of a coarse grid of its pixels."""
    height, width = canvas.shape[:2]
    pixels = canvas[:: max(1, height // 32), :: max(1, width // 32)].reshape(-1, 3)
    coarse = (pixels // 8).astype(int) @ [1024, 32, 1]
    found, counts = np.unique(coarse, return_counts=True)
    if counts.max() < len(pixels) / 6:
        return look.colours["page"]
    red, green, blue = pixels[coarse == found[counts.argmax()]][0].tolist()
    return red, green, blue


class _Brush:
    """Paints everything of a page but its words."""

    def __init__(
        self, canvas: np.ndarray, look: Theme, unit: float, mirrored: bool, shade: float, rng: np.random.Generator
    ) -> None:
        self.canvas = canvas
        self.look = look
        self.unit = unit
        self.mirrored = mirrored
        self.shade = shade
        self.rng = rng

    def rect(self, rect: Rect) -> Rect:
        return layout.mirrored(rect, self.canvas.shape[1]) if self.mirrored else rect

    def colour(self, name: str, ground: str) -> Colour:
        """A colour by its name; shares are mixed over the ground's."""
        return self.look.colour(name, self._ground(ground))

    def _ground(self, ground: str) -> Colour:
        return self.look.colour(ground.split(" to ")[0])

    def paint(self, item: Placed) -> None:
        node, rect, unit = item.block.node, self.rect(item.rect), self.unit
        match node:
            case Container():
                self._box(node, rect, item.ground)
            case nodes.Picture():
                left, top, right, bottom = paint.clipped(self.canvas, rect)
                if right > left and bottom > top:
                    picture = pictures.draw(item.block.name, right - left, bottom - top, self.look, self.rng)
                    if node.shade:
                        self._shade(picture, node, item.ground)
                    paint.box(self.canvas, (left, top, right, bottom), picture, node.radius * unit)
            case nodes.Drawing():
                left, top, right, bottom = paint.clipped(self.canvas, rect)
                if right > left and bottom > top:
                    paint.box(self.canvas, rect, pictures.fitted(node.image_file, right - left, bottom - top))
            case nodes.Icon():
                size = rect[2] - rect[0]
                top = (rect[1] + rect[3] - size) / 2
                ink = self.colour(node.colour, item.ground)
                icons.draw(self.canvas, item.block.name, rect[0], top, size, ink, self.mirrored)
            case nodes.Rule():
                self._rule(node, rect, item.ground)
            case nodes.Shape():
                colours = (self.colour(name, item.ground) for name in (node.colour, node.ground))
                how = shapes.Look(*colours, item.block.value, unit, self.rng, self.mirrored)
                shapes.draw(self.canvas, item.block.name, rect, how)
            case nodes.Chart():
                self._chart(node, item)

    def _box(self, node: Container, rect: Rect, ground: str) -> None:
        radius = node.radius * self.unit
        if node.shadow:
            strength = 0.55 if self.look.dark else 0.2
            paint.shadow(self.canvas, rect, radius, 2.4 * self.unit, strength)
        border = self.colour(node.border, ground) if node.border else None
        fill: Colour | tuple[Colour, Colour] | None = None
        if node.background:
            colours = [self.colour(part, ground) for part in node.background.split(" to ")]
            fill = (colours[0], colours[-1]) if len(colours) > 1 else colours[0]
        if fill is not None or border is not None:
            paint.box(self.canvas, rect, fill, radius, border, max(1.0, node.border_width * self.unit))

    def _shade(self, picture: np.ndarray, node: nodes.Picture, ground: str) -> None:
        height, width = picture.shape[:2]
        veil, most = self.colour(node.shade_colour, ground), self.shade
        if node.shade == "all":
            paint.darken(picture, (0, 0, width, height), veil, most, most)
        elif node.shade == "bottom":
            middle = round(height * 0.55)
            paint.darken(picture, (0, height * 0.25, width, middle), veil, 0, most)
            paint.darken(picture, (0, middle, width, height), veil, most, min(1.0, most * 1.3))
        else:
            middle = round(height * 0.45)
            paint.darken(picture, (0, 0, width, middle), veil, min(1.0, most * 1.3), most)
            paint.darken(picture, (0, middle, width, height * 0.75), veil, most, 0)

    def _rule(self, node: nodes.Rule, rect: Rect, ground: str) -> None:
        ink = self.colour(node.rule, ground)
        left, top, right, bottom = rect
        thick = max(1, round(node.thickness * self.unit))
        lying = right - left >= bottom - top
        if not node.dashed:
            line = (
                (left, round(top), right, round(top) + thick)
                if lying
                else (round(left), top, round(left) + thick, bottom)
            )
            paint.box(self.canvas, line, ink)
            return
        step = max(4.0, self.unit)
        for at in np.arange(left if lying else top, (right if lying else bottom) - step * 0.6, step * 1.6):
            dash = (
                (at, round(top), at + step, round(top) + thick)
                if lying
                else (round(left), at, round(left) + thick, at + step)
            )
            paint.box(self.canvas, dash, ink)

    def _chart(self, node: nodes.Chart, item: Placed) -> None:
        data, ground = item.block.data, self._ground(item.ground)
        charts.draw(self.canvas, node, data, self.rect(item.plot), self.look, ground, self.unit, self.mirrored)
        for number, place in enumerate(charts.key_places(item.keys)):
            colour = charts.piece_colour(self.look, number)
            side = place[3] - place[1]
            paint.box(self.canvas, self.rect(place), colour, side * 0.2)


def _spot(item: Placed, chosen: Faces, width: int) -> Rect:
    """The box that a text takes: where its rectangle is wider or higher than it, as `align` and `valign` say."""
    node, fitted = item.block.node, item.block.fitted
    left, top, right, bottom = layout.mirrored(item.rect, width) if chosen.mirrored else item.rect
    side = node.align
    if chosen.mirrored:
        side = {"start": "end", "end": "start", "justify": "end"}.get(side, side)
    within = fitted.setting.width if fitted.setting.style.align == "center" else fitted.width
    at = {"center": (left + right - within) / 2, "end": right - within}.get(side, left)
    spare = bottom - top - fitted.height
    down = top + {"start": 0.0, "center": spare / 2, "end": spare}[node.valign]
    return at, down, at + within, down + fitted.height


def _ink(
    canvas: np.ndarray, item: Placed, rect: Rect, spot: Rect, wished: Colour, least: float
) -> tuple[Colour, float]:
    """The colour of a text and its contrast to what is behind it: the one wished, or one near it that can be read.

    Raises SampleError that names the node when neither black nor white can be read on all of it.
    """
    # A paragraph's box may reach beyond the rectangle that was drawn in around its lines.
    spot = max(spot[0], rect[0]), max(spot[1], rect[1]), min(spot[2], rect[2]), min(spot[3], rect[3])
    margin = (spot[3] - spot[1]) * _ABOVE / max(1.0, round((spot[3] - spot[1]) / item.block.fitted.setting.size))
    left, top, right, bottom = paint.clipped(canvas, (spot[0], spot[1] + margin, spot[2], spot[3] - margin))
    part = canvas[top : max(top + 1, bottom), left : max(left + 1, right)]
    if not part.size:
        raise SampleError(f"{item.block.path}: it stands outside of the picture")
    pixels = part[:: max(1, part.shape[0] // _SAMPLES), :: max(1, part.shape[1] // _SAMPLES)].reshape(-1, 3)
    bright = _LINEAR[pixels] @ _WEIGHTS
    darkest, lightest = (tuple(pixels[i].tolist()) for i in (bright.argmin(), bright.argmax()))
    # Thin strokes are pale: small type is given more.
    more = np.interp(item.block.fitted.setting.size, _SMALL, _MORE)
    ink, ratio = theme.legible(wished, (darkest, lightest), least * more)
    if ratio < least:
        raise SampleError(f"{item.block.path}: no ink reaches a contrast of {least} on what is behind it")
    return ink, ratio


def _write(page: Page, item: Placed, spot: Rect, chosen: Faces, ink: Colour, glyphs: Glyphs) -> Geometry:
    """Draw a text: the box that it was fitted to is laid so that the text stands in its own."""
    fitted = item.block.fitted
    x = spot[0] - (fitted.width - (spot[2] - spot[0])) / 2
    y = spot[1] - (fitted.copy.trimmed / 2 + fitted.copy.low) * fitted.setting.size
    try:
        return chosen.setter.draw(page, fitted.setting, x, y, ink, glyphs)
    except SampleError as error:
        raise SampleError(f"{item.block.path}: {error.message}") from None


def _check_apart(drawn: Sequence[tuple[Placed, Geometry]]) -> None:
    """Raise SampleError where the lines of two texts overlap: the ground truth of a picture must be unambiguous."""
    boxes, owner = [], []
    for number, (_, geometry) in enumerate(drawn):
        corners = geometry.lines.quads.reshape(-1, 4, 2)
        boxes.append(np.concatenate([corners.min(1), corners.max(1)], axis=1))
        owner += [number] * len(corners)
    all_boxes, owners = np.concatenate(boxes), np.array(owner)
    low = np.maximum(all_boxes[:, None, :2], all_boxes[None, :, :2])
    high = np.minimum(all_boxes[:, None, 2:], all_boxes[None, :, 2:])
    overlap = ((high - low) > 0.25).all(-1) & (owners[:, None] != owners[None])
    if overlap.any():
        first, second = (drawn[owners[i]][0].block.path for i in np.argwhere(overlap)[0])
        raise SampleError(f"{first} and {second} overlap")


def _said(item: Placed, geometry: Geometry, ink: str, size: tuple[int, int]) -> Said:
    node, setting = item.block.node, item.block.fitted.setting
    role = node.role or node.text.role
    corners = geometry.lines.quads.reshape(-1, 2)
    middle = (corners.min(0) + corners.max(0)) / 2
    return Said(setting.text, role, ink, setting.style.family.style, _place(middle / size))


def _place(at: np.ndarray) -> str:
    """Where a point (shares of width and height) is, in words."""
    across = "left" if at[0] < 1 / 3 else "right" if at[0] > 2 / 3 else ""
    down = "top" if at[1] < 1 / 3 else "bottom" if at[1] > 2 / 3 else ""
    if down:
        return f"at the {down} {across}".strip()
    return f"on the {across}" if across else "in the middle"
