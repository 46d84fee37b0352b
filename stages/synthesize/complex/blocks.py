"""From a template's nodes to the blocks of one picture: choices made, repeats counted, words filled in.

A table becomes rows and a chart gets its numbers here, so that layout knows few kinds of blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.synthesize.complex import charts, nodes
from stages.synthesize.complex.charts import Data
from stages.synthesize.complex.fitting import Copy, Fitted
from stages.synthesize.complex.nodes import Node
from stages.synthesize.complex.slots import Expression, Scope


@dataclass
class Block:
    """A node of one picture. `words` are its text; `scope` is where it can be drawn again, shorter. `data` is what a
    chart shows, `name` which picture, icon or shape was drawn by lot, `value` how far a shape is filled. A `spare`
    one may be left out: an item of a repeat beyond the least number. Layout writes
    `copy` and `fitted`: the words prepared, and what they were fitted to last."""

    node: Node
    path: str
    children: list["Block"] = field(default_factory=list)
    words: str = ""
    scope: Scope | None = None
    data: Data | None = None
    name: str = ""
    value: float = 0.0
    columns: int = 1
    spare: bool = False
    copy: Copy | None = None
    fitted: Fitted | None = None


@dataclass(frozen=True)
class Builder:
    """What choices depend on: the picture's aspect and its generator. `crowd` is how much of a repeat's range and of a
    passage's length is used, 1 at first and less when that did not fit; `side` the shorter side in pixels."""

    rng: np.random.Generator
    aspect: float
    crowd: float
    size: tuple[int, int]

    def suits(self, node: Node) -> bool:
        return node.aspect is None or node.aspect[0] <= self.aspect <= node.aspect[1]

    def build(self, node: Node, scope: Scope, path: str) -> list[Block]:
        """The blocks that a node becomes: none where it does not suit the picture or its chance fails."""
        if not self.suits(node) or (node.chance < 1 and self.rng.random() >= node.chance):
            return []
        match node:
            case nodes.Choose():
                suiting = [(i, n) for i, n in enumerate(node.choose) if self.suits(n)]
                if not suiting:
                    return []
                number, chosen = suiting[int(self.rng.integers(len(suiting)))]
                return self.build(chosen, scope, f"{path}.choose[{number}]")
            case nodes.Repeat():
                return self._repeat(node, scope, path)
            case nodes.Table():
                return [self._table(node, scope, f"{path}.table")]
            case nodes.Text():
                return [Block(node, path, words=self._say(node, scope), scope=scope)]
            case nodes.Column() | nodes.Row() | nodes.Grid() | nodes.Stack():
                kind = type(node).__name__.lower()
                held = getattr(node, kind)
                block = Block(node, path)
                for i, child in enumerate(held):
                    block.children += self.build(child, scope, f"{path}.{kind}[{i}]")
                if isinstance(node, nodes.Grid):
                    block.columns = self._count(node.columns)
                return [block]
            case nodes.Box():
                return [Block(node, path, self.build(node.box, scope, f"{path}.box"))]
            case nodes.Chart():
                return [self._chart(node, scope, path)]
            case nodes.Icon() | nodes.Picture() | nodes.Shape():
                return [self._drawn(node, path)]
            case _:
                return [Block(node, path)]

    def _say(self, node: nodes.Text, scope: Scope) -> str:
        return scope.say(node.text, max(0.35, self.crowd))

    def _repeat(self, node: nodes.Repeat, scope: Scope, path: str) -> list[Block]:
        found: list[Block] = []
        count = node.repeat[1] if node.full and self.crowd > 0 else self._count(node.repeat)
        for number in range(1, count + 1):
            item = scope.within(number)
            blocks: list[Block] = []
            if number > 1 and node.between:
                blocks += self.build(node.between, item, f"{path}.between")
            blocks += self.build(node.of, item, f"{path}.of")
            for block in blocks:
                block.spare = number > node.repeat[0]
            found += blocks
        return found

    def _count(self, counts: tuple[int, int]) -> int:
        low, high = counts
        return int(self.rng.integers(low, max(low, round(low + (high - low) * self.crowd)) + 1))

    def _drawn(self, node: nodes.Icon | nodes.Picture | nodes.Shape, path: str) -> Block:
        match node:
            case nodes.Icon():
                names: Sequence[str] = node.icon if "any" not in node.icon else nodes.icons.NAMES[:-1]
            case nodes.Picture():
                names = node.image
            case _:
                names = node.shape
        block = Block(node, path, name=names[int(self.rng.integers(len(names)))])
        if isinstance(node, nodes.Shape):
            block.value = float(self.rng.uniform(*node.value))
        return block

    def _chart(self, node: nodes.Chart, scope: Scope, path: str) -> Block:
        """A chart's block has the words of its axes and legend as children, in the order of `charts.Data`."""
        data = charts.invent(node, self._count(node.categories), self._count(node.series), scope, self.rng)
        block = Block(node, path, data=data)
        for group, texts in (("tick", data.ticks), ("label", data.labels), ("legend", data.legend)):
            for text in texts:
                style = nodes.Text(
                    text=Expression((text,)),
                    size=node.size,
                    colour="ink" if group == "legend" else "muted",
                    same_size=f"{path}.{group}",
                    align="center",
                )
                block.children.append(Block(style, f"{path}.{group}", words=text, name=group))
        return block

    def _table(self, node: nodes.Table, scope: Scope, path: str) -> Block:
        """A table as a column of rows, whose cells share each row's width alike. Rows beyond the least are spare."""
        room = {key: getattr(node, key) for key in ("width", "height", "flex", "at", "anchor", "place")}
        table = Block(nodes.Column(column=[], **room), path)

        def add(part: Node, within: Scope, spare: bool = False) -> None:
            found = self.build(part, within, path)
            for block in found:
                block.spare = spare
            table.children.extend(found)

        if node.header != "none":
            add(_header(node, path), scope)
            if node.header == "lined":
                add(nodes.Rule(rule="ink", thickness=0.25), scope)
        for number in range(1, self._count(node.rows) + 1):
            spare = number > node.rows[0]
            if node.lines and not node.stripes and number > 1:
                add(nodes.Rule(rule="line", thickness=0.15), scope, spare)
            striped = "ink 5%" if node.stripes and number % 2 == 0 else None
            cells = [_cell(node, column, column.cell, f"{path}.cells") for column in node.table]
            share = 1 if node.height or node.flex else 0
            body = nodes.Row(row=cells, padding=node.padding, gap=1.6, background=striped, flex=share)
            add(body, scope.within(number), spare)
        return table


def _header(node: nodes.Table, path: str) -> nodes.Row:
    filled = node.header == "filled"
    look = {"colour": "on_accent" if filled else "muted", "weight": "bold" if filled else "medium"}
    low, high = node.size
    small = node.model_copy(update={"size": (low * 0.9, high * 0.9)})
    cells = [_cell(small, c, c.head or Expression(("",)), f"{path}.head", **look) for c in node.table]
    return nodes.Row(row=cells, padding=node.padding, gap=1.6, background=node.tint if filled else None)


def _cell(node: nodes.Table, column: nodes.Cells, words: Expression, group: str, **look: str) -> nodes.Text:
    low, high = node.size
    given = {"weight": column.weight, "colour": column.colour, **look}
    return nodes.Text(
        text=words, size=(low * 0.85, high), align=column.align, flex=column.width, same_size=group, **given
    )
