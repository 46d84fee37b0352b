"""A page by SynthTIGER, put together like its multi-line template: a layer a word, flowed into lines, on a flat ground.

What is left out is to its favour: no texture, no effects, one colour, and no boxes of characters, which it has only
where every character is a layer. Chinese has no spaces, so there each character is a layer, or no line would break.
"""

import numpy as np
from common import MARGIN, Draw, Job, measure
from PIL import Image
from synthtiger import components, layers


def prepare(job: Job) -> Draw:
    width, height = job["size"]
    chinese = job["language"].startswith("zh")
    length = width - 2 * MARGIN
    space = 0 if chinese else round(job["em"] * 0.25)
    layout = components.FlowLayout(length=(length, length), space=(space, space), align=("justify",))
    colour = components.RGB(rgb=((0, 96), (0, 96), (0, 96)), alpha=(1, 1))

    def draw(text: str, font: str) -> Image.Image:
        ink = colour.data(colour.sample())
        pieces = list(text) if chinese else text.split()
        words = layers.Group([layers.TextLayer(piece, path=font, size=job["em"], color=ink) for piece in pieces])
        layout.apply(words)
        words.topleft = (MARGIN, MARGIN)
        ground = layers.RectLayer((width, height), (255, 255, 255, 255))
        pixels = (words + ground).output(bbox=[0, 0, width, height])
        return Image.fromarray(pixels[..., :3].astype(np.uint8))

    return draw


if __name__ == "__main__":
    measure("SynthTIGER", "synthtiger", prepare)
