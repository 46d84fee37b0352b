from pathlib import Path

import numpy as np
import pytest

from dataengine.errors import SampleError
from dataengine.sample import generator
from fonts import catalog
from stages.synthesize.complex import draw
from stages.synthesize.complex.template import read
from stages.synthesize.scene import Drawn
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words.supply import Supply

SETTERS = {language: Typesetter(catalog.for_language(language)) for language in ("en", "ar")}


def page(folder: Path, layout: str, language: str = "en", size: tuple[int, int] = (800, 600), index: int = 0) -> Drawn:
    path = folder / "page.yaml"
    path.write_text(f"name: a test page\nthemes: [light]\npage:\n  {layout}\n", encoding="utf-8")
    rng = generator("layout", 0, index)
    return draw(
        rng,
        setter=SETTERS[language],
        supply=Supply("udhr", language, rng),
        families=catalog.for_language(language),
        size=size,
        smallest=10,
        contrast=4.5,
        templates=[read(path)],
    )


def boxes(drawn: Drawn) -> np.ndarray:
    """Left, top, right, bottom of each paragraph."""
    corners = [paragraph.lines.quads.reshape(-1, 2) for paragraph in drawn.paragraphs]
    return np.array([[*c.min(0), *c.max(0)] for c in corners])


def test_a_row_is_mirrored_where_one_reads_from_right_to_left(tmp_path: Path):
    layout = "row: [{text: '{n:1}', flex: 1}, {text: '{n:2}'}]"
    first, second = boxes(page(tmp_path, layout))
    assert first[0] < 20 and second[2] > 780
    first, second = boxes(page(tmp_path, layout, "ar"))
    assert first[2] > 780 and second[0] < 20


def test_flexible_children_share_what_is_left_by_their_weights(tmp_path: Path):
    layout = "row: [{text: '1', flex: 1}, {text: '2', flex: 3}, {text: '3', width: 25%}]"
    left = boxes(page(tmp_path, layout))[:, 0]
    assert left == pytest.approx([0, 150, 600], abs=4)


def test_texts_of_one_group_have_one_size(tmp_path: Path):
    layout = (
        "column: [{text: '1234567890123456789012345678901234567890', size: [2, 9], same_size: a},"
        " {text: '12', size: [2, 9], same_size: a}, {text: '12', size: [2, 9]}]"
    )
    one, two, three = (paragraph.size for paragraph in page(tmp_path, layout).paragraphs)
    assert one == pytest.approx(two, rel=0.03) and three > 1.5 * two


def test_what_is_spare_of_a_repeat_is_left_out_where_there_is_no_room(tmp_path: Path):
    layout = "column: [{repeat: [2, 30], full: true, of: {text: '{n}', size: 8}}, {text: '99', size: 8}]"
    said = [paragraph.content for paragraph in page(tmp_path, layout).paragraphs]
    assert said[:2] == ["1", "2"] and said[-1] == "99" and 3 < len(said) < 13


def test_too_much_that_is_not_spare_is_refused_with_its_node(tmp_path: Path):
    layout = "column: [{repeat: [30, 30], of: {text: '{n}', size: 8}}]"
    with pytest.raises(SampleError, match=r"a test page: page"):
        page(tmp_path, layout)


def test_a_text_that_does_not_fit_is_drawn_shorter(tmp_path: Path):
    layout = "column: [{text: '{passage:300-400}', size: 5, lines: 3, width: 90%}]"
    (paragraph,) = page(tmp_path, layout).paragraphs
    assert len(paragraph.lines.texts) <= 3


def test_numbers_are_aligned_at_the_side_that_is_asked_for(tmp_path: Path):
    layout = "column: [{text: '12', align: end}, {text: '34', align: center}, {text: '56'}]"
    end, middle, start = boxes(page(tmp_path, layout))
    assert end[2] == pytest.approx(800, abs=3) and start[0] == pytest.approx(0, abs=3)
    assert (middle[0] + middle[2]) / 2 == pytest.approx(400, abs=3)


def test_a_table_has_a_cell_for_each_row_and_column_in_reading_order(tmp_path: Path):
    layout = "column: [{table: [{head: '0', cell: '{n}'}, {head: '0', cell: '{n:101}', align: end}], rows: [4, 4]}]"
    drawn = page(tmp_path, layout)
    said = [paragraph.content for paragraph in drawn.paragraphs]
    assert said == ["0", "0", "1", "101", "2", "102", "3", "103", "4", "104"]
    right = boxes(drawn)[1::2, 2]
    assert right == pytest.approx(np.full(5, right[0]), abs=3)


@pytest.mark.parametrize("kind", ["bars", "bars lying", "line", "area", "pie", "donut"])
def test_a_chart_has_its_numbers_and_labels_as_text(tmp_path: Path, kind: str):
    words = "label: '{n:501}', legend: '{n:7}'"
    layout = f"column: [{{chart: {kind}, categories: [4, 4], series: [2, 2], {words}, flex: 1}}]"
    said = [paragraph.content for paragraph in page(tmp_path, layout).paragraphs]
    if kind in ("pie", "donut"):
        assert said == ["7", "8", "9", "10"]
    else:
        assert {"0", "501", "504", "7"} <= set(said)


def test_a_heading_on_an_accent_is_made_to_be_read(tmp_path: Path):
    layout = "column: [{column: [{text: '12', colour: accent}], background: accent}]"
    for index in range(6):
        assert min(page(tmp_path, layout, index=index).meta["contrast"]) >= 4.5
