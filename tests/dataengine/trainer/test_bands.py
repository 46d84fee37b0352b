import pyarrow as pa
import pytest

from dataengine import schema
from dataengine.trainer.bands import BANDS, amounts, band, bands

TEXT = schema.SAMPLES.field("text").type


def paragraph(*lines: str) -> dict[str, object]:
    words = [word for line in lines for word in line.split()]
    spans = {"lines": lines, "words": words, "characters": [c for word in words for c in word]}
    return {"content": "\n".join(lines)} | {name: [{"text": t} for t in texts] for name, texts in spans.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "none"),
        ([], "none"),
        ([paragraph()], "none"),
        ([paragraph("A")], "character"),
        ([paragraph("house")], "word"),
        ([paragraph("a", "b")], "paragraph"),
        ([paragraph("春 眠 不 覺")], "word"),
        ([paragraph("春 眠 不 覺 曉")], "line"),
        ([paragraph("out of the house")], "line"),
        ([paragraph("out of", "the house")], "paragraph"),
        ([paragraph("a title"), paragraph("and what is below")], "paragraph"),
        ([paragraph("one")] * 4, "page"),
        ([paragraph(*["a line"] * 8)], "paragraph"),
        ([paragraph(*["a line"] * 9)], "page"),
    ],
)
def test_a_picture_is_in_the_band_of_how_much_is_written_in_it(text, expected):
    assert bands(pa.array([text], TEXT)) == [expected]


def test_amounts_are_summed_over_the_paragraphs_of_each_row():
    text = [[paragraph("to be", "or not")], None, [paragraph("a"), paragraph("bc d")], []]
    assert amounts(pa.array(text, TEXT)).tolist() == [[9, 4, 2, 1], [0, 0, 0, 0], [4, 3, 2, 2], [0, 0, 0, 0]]


def test_a_part_of_a_column_is_counted_like_the_whole():
    text = pa.array([[paragraph("a", "b c")], [paragraph("d")], None, [paragraph("e f")]], TEXT)
    assert amounts(text.slice(1, 3)).tolist() == amounts(text).tolist()[1:]


def test_more_text_is_never_an_easier_band():
    ordered = [(0, 0, 0, 0), (1, 1, 1, 1), (5, 1, 1, 1), (9, 3, 1, 1), (20, 6, 2, 1), (200, 40, 9, 2)]
    assert [band(*amount) for amount in ordered] == list(BANDS)
