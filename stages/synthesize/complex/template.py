"""Templates: files of a layout, read and checked. A user adds one by adding a file to a folder.

name: a page with a bar chart          # what captions call it
aspect: [0.9, 2.2]                     # the pictures that it is for, width over height
themes: [light, dark]
display: [sans-serif, serif]           # the styles of type for headings, and for the rest
body: [sans-serif]
styles: {title: {size: [5, 7], weight: bold}}
page: {column: […]}
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from dataengine.config import Config, build, read_yaml, suggest
from dataengine.errors import ManifestError
from fonts import catalog
from stages.synthesize.complex import nodes, pictures
from stages.synthesize.complex.nodes import Node, Span
from stages.synthesize.complex.slots import KINDS, Expression

Mode = Literal["light", "tinted", "paper", "pastel", "dark", "brand"]


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else value if isinstance(value, list) else []


class Template(Config):
    """A layout with what it is for. `file` is where it was read from."""

    name: str = Field(min_length=3)
    aspect: Span = (0.3, 3.4)
    themes: list[Mode] = Field(list(get_args(Mode)), min_length=1)
    display: Annotated[list[str], BeforeValidator(_listed)] = ["sans-serif", "serif"]
    body: Annotated[list[str], BeforeValidator(_listed)] = ["sans-serif"]
    page: Node
    file: str

    @cached_property
    def smallest(self) -> float:
        """The smallest of its type, as large as it is meant, in hundredths of a picture's shorter side."""
        return min((size for size in _sizes(self.page)), default=100.0)

    def suits(self, width: int, height: int) -> bool:
        return self.aspect[0] <= width / height <= self.aspect[1]


class _Head(Config):
    """A file as it stands, before its nodes are read."""

    name: str
    aspect: Any = None
    themes: Any = None
    display: Any = None
    body: Any = None
    styles: dict[str, dict[str, Any]] = {}
    parts: dict[str, Any] = {}
    page: dict[str, Any]


@dataclass(frozen=True)
class _Reader:
    file: str
    styles: Mapping[str, Mapping[str, Any]]
    parts: Mapping[str, Any]

    def node(self, data: Any, path: str) -> Node:
        """A node and all within it. Raises ManifestError that names file and node."""
        where = f"{self.file}: {path}"
        if not isinstance(data, dict):
            raise ManifestError(f"{where}: a node is a mapping, not {data!r}", f"one of {', '.join(nodes.KINDS)}")
        if "part" in data:
            return self._part(data, path)
        kinds = [kind for kind in nodes.KINDS if kind in data]
        if len(kinds) > 1 and "gap" in kinds:
            kinds.remove("gap")
        if len(kinds) != 1:
            problem = f"has {' and '.join(kinds)}" if kinds else f"says nothing of what it is ({', '.join(data)})"
            raise ManifestError(f"{where}: the node {problem}", f"give one of {', '.join(nodes.KINDS)}")
        kind = kinds[0]
        given = {**data}
        if kind == "text":
            given = self._styled(given, where)
        elif kind in ("column", "row", "grid", "stack", "choose"):
            if not isinstance(given[kind], list):
                raise ManifestError(f"{where}.{kind}: must be a list of nodes", "put `- ` before each child")
            given[kind] = [self.node(child, f"{path}.{kind}[{i}]") for i, child in enumerate(given[kind])]
        elif kind == "image_file":
            given[kind] = self._picture(str(data[kind]), where)
        elif kind == "box":
            given[kind] = self.node(given[kind], f"{path}.box")
        for key in ("of", "between"):
            if kind == "repeat" and key in given:
                given[key] = self.node(given[key], f"{path}.{key}")
        return build(nodes.KINDS[kind], given, where)

    def _picture(self, name: str, where: str) -> bytes:
        """The bytes of a picture beside the template. Raises ManifestError where it is none."""
        path = Path(self.file).parent / name
        try:
            encoded = path.read_bytes()
        except OSError as error:
            raise ManifestError(
                f"{where}: {path} cannot be read: {error}", "give its path beside the template"
            ) from None
        if pictures.decoded(encoded) is None:
            raise ManifestError(f"{where}: {path} is no picture that can be read", "give a PNG or a JPEG")
        return encoded

    def _part(self, data: Mapping[str, Any], path: str) -> Node:
        """A node that stands under `parts` and is used by its name; other keys replace the part's own."""
        name = data["part"]
        if name not in self.parts:
            raise ManifestError(f"{self.file}: {path}: there is no part {name!r}{suggest(str(name), list(self.parts))}")
        part = self.parts[name]
        changed = {key: value for key, value in data.items() if key != "part"}
        return self.node({**part, **changed} if isinstance(part, dict) else part, f"{path}.{name}")

    def _styled(self, given: dict[str, Any], where: str) -> dict[str, Any]:
        """A text with its style's keys; texts of one style have one size unless they say otherwise."""
        style = given.pop("style", None)
        if style is None:
            return given
        if style not in self.styles:
            raise ManifestError(f"{where}: there is no style {style!r}{suggest(str(style), list(self.styles))}")
        return {"same_size": style, **self.styles[style], **given}


def read(path: Path) -> Template:
    """The template in a YAML file. Raises ManifestError that names the file, the node and what is wrong."""
    file = str(path)
    head = build(_Head, read_yaml(path), file)
    page = _Reader(file, head.styles, head.parts).node(head.page, "page")
    _check_names(page, file)
    for style in [*_listed(head.display), *_listed(head.body)]:
        if style not in _styles():
            raise ManifestError(f"{file}: there is no style of type {style!r}{suggest(str(style), _styles())}")
    given = {key: getattr(head, key) for key in ("name", "aspect", "themes", "display", "body")}
    return build(Template, {**{k: v for k, v in given.items() if v is not None}, "page": page, "file": file}, file)


@cache
def _styles() -> tuple[str, ...]:
    """What the catalogue calls its families' styles."""
    return tuple(dict.fromkeys(family.style for family in catalog.families()))


def _check_names(page: Node, file: str) -> None:
    """Every slot without a kind must say again what an earlier one has named."""
    named: set[str] = set()
    for path, expression in _expressions(page, "page"):
        for slot in expression.slots:
            if not slot.kind and slot.name not in named:
                known = f"known: {', '.join(KINDS)}" + (f"; named before: {', '.join(sorted(named))}" if named else "")
                raise ManifestError(f"{file}: {path}: unknown placeholder {{{slot.name}}}", known)
            if slot.kind and slot.name:
                named.add(slot.name)


def _sizes(node: Any) -> Iterator[float]:
    """The type sizes of all texts below a node, the larger of each range."""
    if isinstance(node, nodes.Text | nodes.Table | nodes.Chart):
        yield node.size[1]
    elif isinstance(node, Node):
        for key in type(node).model_fields:
            yield from _sizes(getattr(node, key))
    elif isinstance(node, list):
        for child in node:
            yield from _sizes(child)


def _expressions(node: Any, path: str) -> Iterator[tuple[str, Expression]]:
    """All expressions below a node, in order, with where they stand."""
    if isinstance(node, Expression):
        yield path, node
    elif isinstance(node, Config):
        for key in type(node).model_fields:
            yield from _expressions(getattr(node, key), f"{path}.{key}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from _expressions(child, f"{path}[{number}]")
