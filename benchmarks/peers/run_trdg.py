"""The lines of a page by TextRecognitionDataGenerator, one below the other on one picture.

TRDG draws single lines and knows no page: the text comes cut into lines, outside the time. What is left out is to its
favour: a plain background instead of its noise, no skew, blur or distortion, and no boxes.
"""

import textwrap

from common import MARGIN, Draw, Job, measure
from PIL import Image
from trdg.generators import GeneratorFromStrings


def prepare(job: Job) -> Draw:
    width, height = job["size"]
    looks = {
        "size": round(job["em"] * 1.2),  # of the line, its margins included
        "width": width - 2 * MARGIN,
        "margins": (0, 0, 0, 0),
        "alignment": 0,
        "background_type": 1,
        "text_color": "#000000,#606060",
    }
    lines = {text: textwrap.wrap(text, job["columns"]) for text in job["texts"]}

    def draw(text: str, font: str) -> Image.Image:
        page = Image.new("RGB", (width, height), "white")
        drawn = GeneratorFromStrings(lines[text], count=len(lines[text]), fonts=[font], **looks)
        for row, (line, _) in enumerate(drawn):
            page.paste(line, (MARGIN, MARGIN + row * line.height))
        return page

    return draw


if __name__ == "__main__":
    measure("TRDG, loose lines", "trdg", prepare)
