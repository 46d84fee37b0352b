"""How difficult the text of a picture is to write, told by how much of it is annotated.

The bands are those of a curriculum, from none to a page. They go by amount, summed over all that stands in the picture,
and by nothing that depends on a language: what counts as a word where words are not parted by spaces is left to the
annotation, so a few characters on one line are a word too. A picture whose text nobody annotated has none.
"""

from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Band = Literal["none", "character", "word", "line", "paragraph", "page"]
BANDS: tuple[Band, ...] = get_args(Band)
"""From the easiest to the hardest."""

SHORT = 4  # characters on one line that pass for a word, though they be several in the annotation
PARAGRAPH_LINES, PARAGRAPHS = 8, 3  # what is more than either is a page


def band(characters: int, words: int, lines: int, paragraphs: int) -> Band:
    """The band of a picture with so much text in all."""
    if characters == 0:
        return "none"
    if characters == 1:
        return "character"
    if lines <= 1:
        return "word" if words <= 1 or characters <= SHORT else "line"
    return "paragraph" if lines <= PARAGRAPH_LINES and paragraphs <= PARAGRAPHS else "page"


def amounts(text: pa.Array) -> np.ndarray:
    """Characters, words, lines and paragraphs of each row of a column `text` (`schema.SAMPLES`): int64 (rows, 4).

    A null is a picture without text."""
    paragraphs = pc.fill_null(pc.list_value_length(text), 0).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(text)), paragraphs)
    each = pc.list_flatten(text)
    columns = []
    for name in ("characters", "words", "lines"):
        held = pc.fill_null(pc.list_value_length(pc.struct_field(each, name)), 0).to_numpy(zero_copy_only=False)
        columns.append(np.bincount(rows, held, minlength=len(text)))
    return np.stack([*columns, paragraphs], axis=1).astype(np.int64)


def bands(text: pa.Array) -> list[Band]:
    """The band of each row of a column `text`."""
    return [band(*amount) for amount in amounts(text).tolist()]
