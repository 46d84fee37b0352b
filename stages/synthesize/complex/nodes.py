"""The layout format: what a template's YAML may say, as a tree of nodes.

Each node is a mapping with one key that says what it is (`column`, `text`, `icon`, …), whose value is the essential
thing (its children, its words, its name); the other keys say how. Lengths and type sizes are in hundredths of the
picture's shorter side, so that a template serves every size; `30%` is a share of the room that the parent offers.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from dataengine.config import Config
from stages.synthesize.complex import icons, pictures, shapes, theme
from stages.synthesize.complex.slots import Expression, parse


def _length(value: Any) -> Any:
    """A number, or a share such as `30%`, which is kept as a negative part of one."""
    if isinstance(value, str) and value.endswith("%"):
        return -float(value[:-1]) / 100
    return value


def _sides(value: Any) -> Any:
    """One length for all sides, two (top and bottom, left and right), or four (top, end, bottom, start)."""
    sides = [value] * 4 if isinstance(value, int | float) else list(value)
    return tuple(sides * 2 if len(sides) == 2 else sides)


def _span(value: Any) -> Any:
    """A number alone is both ends of a range."""
    return (value, value) if isinstance(value, int | float) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("the first number must not be larger than the second")
    return span


def _known(kind: str, names: tuple[str, ...]) -> AfterValidator:
    def check(given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            if name not in names:
                raise ValueError(f"there is no {kind} {name!r}; known: {', '.join(names)}")
        return given

    return AfterValidator(check)


def _expression(value: Any) -> Any:
    return value if isinstance(value, Expression) else parse(str(value))


Length = Annotated[float, BeforeValidator(_length)]
Sides = Annotated[tuple[float, float, float, float], BeforeValidator(_sides)]
Span = Annotated[tuple[float, float], BeforeValidator(_span), AfterValidator(_ordered)]
Counts = Annotated[tuple[int, int], BeforeValidator(_span), AfterValidator(_ordered)]
Colour = Annotated[str, AfterValidator(theme.check)]
Words = Annotated[Expression, BeforeValidator(_expression)]
Cross = Literal["start", "center", "end", "stretch"]
Along = Literal["start", "center", "end", "between"]
Anchor = Literal["top start", "top", "top end", "start", "center", "end", "bottom start", "bottom", "bottom end"]


class Node(Config):
    """What every node may say. `flex` shares what is left of the parent's row or column; `aspect` bounds the pictures
    (width over height) that it is for; `chance` leaves it to the lot; `at` (left, top, width, height, in hundredths of
    the parent) and `anchor` place a child of a stack; `place` is where it stands across its row or column."""

    width: Length | None = None
    height: Length | None = None
    flex: float = Field(0.0, ge=0)
    aspect: Span | None = None
    chance: float = Field(1.0, ge=0, le=1)
    at: tuple[float, float, float, float] | None = None
    anchor: Anchor | None = None
    place: Cross | None = None


class Container(Node):
    """What holds other nodes. `background` is a colour, or two of them as `accent to second`."""

    padding: Sides = (0, 0, 0, 0)
    gap: Length = 0.0
    justify: Along = "start"
    align: Cross = "stretch"
    background: Colour | None = None
    border: Colour | None = None
    border_width: float = 0.25
    radius: float = 0.0
    shadow: bool = False


class Column(Container):
    column: list[Node]


class Row(Container):
    row: list[Node]
    align: Cross = "center"


class Grid(Container):
    """Cells of one width. `columns` are drawn by lot, or as many as leave each `least` wide."""

    grid: list[Node]
    columns: Counts = (2, 2)
    least: float | None = None


class Stack(Container):
    """Children on top of each other, the first at the bottom."""

    stack: list[Node]


class Box(Container):
    """One child on a ground of its own, in the middle."""

    box: Node
    align: Cross = "center"
    justify: Along = "center"


class Repeat(Node):
    """Its node several times, as children of the parent; `between` stands between them. The number is by lot, or with
    `full` as many as there is room for. What does not fit is left out, down to the least number."""

    repeat: Counts
    full: bool = False
    of: Node
    between: Node | None = None


class Choose(Node):
    """One of several, by lot."""

    choose: list[Node] = Field(min_length=1)


class Text(Node):
    """Words. `size` runs from the smallest type allowed to the largest; texts of one `same_size` share one size."""

    text: Words
    size: Span = (2.4, 2.8)
    weight: Literal["light", "regular", "medium", "bold", "black"] = "regular"
    align: Literal["start", "center", "end", "justify"] = "start"
    valign: Literal["start", "center", "end"] = "start"
    colour: Colour = "ink"
    lines: int = Field(1, ge=1)
    type: Literal["body", "display"] = "body"
    caps: bool = False
    tracking: float = 0.0
    leading: float = 1.0
    role: Literal["heading", "body", "label"] | None = None
    same_size: str | None = None


class Picture(Node):
    """A drawn picture of a kind. `shade` darkens it, so that white text can be read on it."""

    image: Annotated[tuple[str, ...], BeforeValidator(_listed), _known("picture", pictures.KINDS)]
    radius: float = 0.0
    shade: Literal["top", "bottom", "all"] | None = None
    shade_colour: Colour = "black"


class Drawing(Node):
    """A picture from a file: in YAML its path beside the template, here the bytes that stand there."""

    image_file: bytes


class Icon(Node):
    """One of the icons, by lot where several are named. Its width is its size."""

    icon: Annotated[tuple[str, ...], BeforeValidator(_listed), _known("icon", icons.NAMES)]
    width: Length = 4.0
    colour: Colour = "ink"


class Rule(Node):
    """A fine line across its column, or down its row."""

    rule: Colour
    thickness: float = 0.2
    dashed: bool = False


class Shape(Node):
    """A plain shape or an ornament. `value` is how far a bar or a slider is, by lot within the range."""

    shape: Annotated[tuple[str, ...], BeforeValidator(_listed), _known("shape", shapes.NAMES)]
    colour: Colour = "accent"
    ground: Colour = "line"
    value: Span = (0.2, 0.9)


class Gap(Node):
    """Empty room: a length, or `flex` for a share of what is left."""

    gap: Length | Literal["flex"]


class Chart(Node):
    """A chart drawn from made-up data, with its axes and legend in words."""

    chart: Literal["bars", "bars lying", "line", "area", "pie", "donut"]
    categories: Counts = (4, 7)
    series: Counts = (1, 3)
    label: Words = Field(default_factory=lambda: parse("{label:12}"))
    legend: Words = Field(default_factory=lambda: parse("{label:14}"))
    size: Span = (1.8, 2.2)


class Cells(Config):
    """A column of a table."""

    head: Words | None = None
    cell: Words
    width: float = 1.0
    align: Literal["start", "center", "end"] = "start"
    weight: Literal["light", "regular", "medium", "bold", "black"] = "regular"
    colour: Colour = "ink"


class Table(Node):
    """Rows of cells; with a `height` or a `flex` they share it. `tint` is the ground of a filled header."""

    table: list[Cells] = Field(min_length=1)
    rows: Counts = (4, 7)
    header: Literal["filled", "lined", "plain", "none"] = "lined"
    tint: Colour = "accent"
    stripes: bool = False
    lines: bool = True
    size: Span = (2.0, 2.4)
    padding: Sides = (1.1, 1.2, 1.1, 1.2)


KINDS: Mapping[str, type[Node]] = {
    "column": Column,
    "row": Row,
    "grid": Grid,
    "stack": Stack,
    "box": Box,
    "repeat": Repeat,
    "choose": Choose,
    "text": Text,
    "image": Picture,
    "image_file": Drawing,
    "icon": Icon,
    "rule": Rule,
    "shape": Shape,
    "gap": Gap,
    "chart": Chart,
    "table": Table,
}
"""A node is of the kind whose key it has. `gap` alone is a Gap; within a container it is the room between children."""
