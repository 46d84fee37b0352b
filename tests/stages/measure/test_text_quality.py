"""The signal `text_quality`: the numbers of an inspection as columns, nulls without an annotation."""

import numpy as np
import pytest

from dataengine.sample import Paragraph, Sample, Spans, samples_table
from dataengine.stage import Image, find
from stages.measure.text_quality import Params, TextQuality
from stages.synthesize.quality import examine


def test_it_is_a_signal_under_its_registered_name():
    assert find("text_quality") is TextQuality


def test_its_columns_are_those_of_an_inspection_and_null_without_an_annotation():
    pixels = np.full((60, 200, 3), 255, np.uint8)
    pixels[12:38, 14:180:10] = 40
    boxes = [[10 + 40 * n, 10, 52 + 40 * n, 10, 52 + 40 * n, 70 - 20 * n, 10 + 40 * n, 70 - 20 * n] for n in range(2)]
    spans = Spans(["a", "b"], np.array(boxes, np.float32))
    text = [
        Paragraph("ab", "en", "Latn", "F", 30.0, 0, spans, spans, spans),
        Paragraph("b", "en", "Latn", "F", 30.0, 1, *[Spans(["b"], spans.quads[1:] + 5)] * 3),
    ]
    annotation = samples_table([Sample("a", "s", "u", b"x", "png", 200, 60, text=text)])["text"][0]
    signal = TextQuality(Params())
    table = signal.measure([Image("a", pixels, b"x", "png", annotation=annotation), Image("b", pixels, b"x", "png")])
    assert table.schema == TextQuality.columns
    first, second = table.to_pylist()
    found = examine(pixels, text)
    wanted = (found.least_contrast, found.smallest, found.overlap, found.line_overlap, found.outside)
    assert tuple(first.values()) == pytest.approx(wanted) and all(value > 0 for value in wanted)
    assert set(second.values()) == {None}
