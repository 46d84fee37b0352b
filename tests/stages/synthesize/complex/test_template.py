from pathlib import Path

import cv2
import numpy as np
import pytest

from dataengine.errors import ManifestError
from stages.synthesize.complex import nodes, templates
from stages.synthesize.complex.template import read


def template(folder: Path, page: str, head: str = "name: a test page") -> Path:
    path = folder / "test.yaml"
    path.write_text(f"{head}\npage:\n{page}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("  column: [{text: '{heding:40}'}]", r"page\.column\[0\].*unknown placeholder \{heding:40\}.*heading"),
        ("  column: [{text: '{nowhere}'}]", r"page\.column\[0\]\.text: unknown placeholder \{nowhere\}"),
        ("  row: [{text: 'Welcome'}]", r"page\.row\[0\].*'Welcome' is the same in every language"),
        ("  row: [{text: '{passage}'}]", r"needs a range, such as \{passage:20-60\}"),
        ("  row: [{text: '{word}', sise: 3}]", r"page\.row\[0\].*sise: unknown key; did you mean 'size'"),
        ("  row: [{tekst: '{word}'}]", r"page\.row\[0\]: the node says nothing of what it is"),
        ("  row: [{text: '{word}', icon: home}]", r"the node has text and icon"),
        ("  row: [{text: '{word}', colour: pink}]", r"'pink' is no colour of a theme; known: page, surface"),
        ("  row: [{icon: hoem}]", r"there is no icon 'hoem'; known: home, search"),
        ("  row: [{text: '{word}', size: [4, 2]}]", r"the first number must not be larger"),
        ("  row: [{text: '{word}', style: titel}]", r"there is no style 'titel'"),
        ("  row: [{part: card}]", r"there is no part 'card'"),
        ("  row: {text: '{word}'}", r"page\.row: must be a list of nodes"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_node(tmp_path: Path, page: str, message: str):
    path = template(tmp_path, page)
    with pytest.raises(ManifestError, match=f"(?s){message}") as error:
        read(path)
    assert str(path) in str(error.value)


def test_a_style_of_type_that_no_family_has_is_refused(tmp_path: Path):
    with pytest.raises(ManifestError, match="there is no style of type 'sans'; known: brush"):
        read(template(tmp_path, "  column: [{text: '{word}'}]", "name: a test page\nbody: sans"))


def test_the_known_placeholders_and_names_are_listed(tmp_path: Path):
    with pytest.raises(ManifestError, match=r"known: .*price.*passage.*named before: shop"):
        read(template(tmp_path, "  column: [{text: '{shop=company}'}, {text: '{shup}'}]"))


def test_styles_and_parts_are_filled_in_and_can_be_changed_in_place(tmp_path: Path):
    head = "name: a test page\nstyles: {big: {size: 9, weight: bold}}\nparts: {line: {text: '{word}', style: big}}"
    page = read(template(tmp_path, "  column: [{part: line}, {part: line, size: 4}]", head)).page
    first, second = page.column
    assert (first.size, first.weight, first.same_size) == ((9, 9), "bold", "big")
    assert second.size == (4, 4)


def test_a_picture_beside_the_template_is_read_and_one_that_is_none_refused(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    page = read(template(tmp_path, "  stack: [{image_file: a.png}, {text: '{word}'}]")).page
    assert isinstance(page.stack[0], nodes.Drawing) and page.stack[0].image_file.startswith(b"\x89PNG")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ManifestError, match=r"page\.stack\[0\]: .*a\.png is no picture"):
        read(template(tmp_path, "  stack: [{image_file: a.png}, {text: '{word}'}]"))


def test_a_folder_of_ones_own_adds_to_the_built_in_ones(tmp_path: Path):
    template(tmp_path, "  column: [{text: '{word}'}]")
    assert [t.name for t in templates(tmp_path)] == [*(t.name for t in templates(None)), "a test page"]


def test_a_folder_without_templates_is_refused(tmp_path: Path):
    with pytest.raises(ManifestError, match="no template there"):
        templates(tmp_path)
    with pytest.raises(ManifestError, match="no such folder"):
        templates(tmp_path / "nowhere")


def test_there_are_at_least_twenty_five_and_no_two_have_one_name():
    names = [template.name for template in templates(None)]
    assert len(set(names)) == len(names) >= 25


def test_the_example_of_the_docs_is_a_template(tmp_path: Path):
    docs = Path(__file__).parents[4] / "docs" / "templates.md"
    example = docs.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "example.yaml"
    path.write_text(example, encoding="utf-8")
    assert read(path).name == "a page with three offers"
