"""The lines of a page by TextRecognitionDataGenerator, one below the other on one picture.

TRDG draws single lines and knows no page: the text comes cut into lines, outside the time. What is left out is to its
favour: a plain background instead of its noise, no skew, blur or distortion, and no boxes.
"""

import textwrap

from common import MARGIN, Draw, Job, measure
from PIL import Image
from trdg.data_generator import FakeTextDataGenerator


def prepare(job: Job) -> Draw:
    width, height = job["size"]
    plain = {
        "out_dir": None,
        "extension": None,
        "size": round(job["em"] * 1.2),  # of the line, its margins included
        "skewing_angle": 0,
        "random_skew": False,
        "blur": 0,
        "random_blur": False,
        "background_type": 1,
        "distorsion_type": 0,
        "distorsion_orientation": 0,
        "is_handwritten": False,
        "name_format": 0,
        "width": width - 2 * MARGIN,
        "alignment": 0,
        "text_color": "#000000,#606060",
        "orientation": 0,
        "space_width": 1.0,
        "character_spacing": 0,
        "margins": (0, 0, 0, 0),
        "fit": False,
        "output_mask": False,
        "word_split": False,
        "image_dir": None,
    }
    lines = {text: textwrap.wrap(text, job["columns"]) for text in job["texts"]}

    def draw(text: str, font: str) -> Image.Image:
        page = Image.new("RGB", (width, height), "white")
        for row, line in enumerate(lines[text]):
            drawn = FakeTextDataGenerator.generate(row, line, font, **plain)
            page.paste(drawn, (MARGIN, MARGIN + row * drawn.height))
        return page

    return draw


if __name__ == "__main__":
    measure("TRDG, loose lines", "trdg", prepare)
