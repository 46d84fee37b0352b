"""A page in the manner of SynthDoG, Donut's generator of documents: a stand-in, written on SynthTIGER's components.

SynthDoG itself is no package; this follows what its published configuration for English and Chinese says, probability
by probability: a photograph, blurred, as the ground; a sheet with the texture of paper; lines of text of which every
character is a layer; elastic distortion, noise and perspective on sheet and text; then colour, shadow, contrast,
brightness and blurs on the whole. The lines hold the page's text instead of a random amount, and a sheet covers the
whole page, half of SynthDoG's cases. Photographs and paper are made here: smooth noise in JPEG of the page's size.
"""

import tempfile
import textwrap
from pathlib import Path

import cv2
import numpy as np
from common import MARGIN, Draw, Job, measure
from PIL import Image
from synthtiger import components, layers

_CORNERS = [  # how much of each side's length perspective leaves it: top, right, bottom, left; and how often
    (750, [[0.75, 1], [0.75, 1], [0.75, 1], [0.75, 1]]),
    (50, [[0.75, 1], [1, 1], [0.75, 1], [1, 1]]),
    (50, [[1, 1], [0.75, 1], [1, 1], [0.75, 1]]),
    (25, [[0.75, 1], [1, 1], [1, 1], [1, 1]]),
    (25, [[1, 1], [0.75, 1], [1, 1], [1, 1]]),
    (25, [[1, 1], [1, 1], [0.75, 1], [1, 1]]),
    (25, [[1, 1], [1, 1], [1, 1], [0.75, 1]]),
    (50, [[1, 1], [1, 1], [1, 1], [1, 1]]),
]


def prepare(job: Job) -> Draw:
    size = width, height = job["size"]
    folder = Path(tempfile.mkdtemp(prefix="synthdog-"))
    photograph = components.BaseTexture(paths=[_pictures(folder / "ground", size, (40, 215))], weights=[1])
    paper = components.BaseTexture(
        paths=[_pictures(folder / "paper", size, (190, 255))], weights=[1], alpha=(0, 0.2), grayscale=1, crop=1
    )
    defocus = components.GaussianBlur(sigma=(0, 10))
    grey = {"prob": 0.2, "args": {"gray": (0, 64), "colorize": 1}}
    line_colour = components.Switch(components.Gray(), **grey)
    text_colour = components.Switch(components.Gray(), **grey)
    perspective = components.Selector(
        [components.Perspective(percents=sides) for _, sides in _CORNERS], weights=[often for often, _ in _CORNERS]
    )
    on_sheet = [
        components.ElasticDistortion(alpha=(0, 1), sigma=(0, 0.5)),
        components.AdditiveGaussianNoise(scale=(0, 8), per_channel=0),
        perspective,
    ]
    on_all = [
        components.Switch(components.RGB(rgb=((0, 255), (0, 255), (0, 255)), alpha=(0, 0.2)), prob=0.2),
        components.Shadow(intensity=(0, 160), amount=(0, 1), smoothing=(0.5, 1), bidirectional=0),
        components.Contrast(alpha=(1, 1.5)),
        components.Brightness(beta=(-48, 0)),
        components.Switch(components.MotionBlur(k=(3, 5), angle=(0, 360)), prob=0.5),
        components.GaussianBlur(sigma=(0, 1.5)),
    ]

    def draw(text: str, font: str) -> Image.Image:
        ground = layers.RectLayer(size, (255, 255, 255, 255))
        photograph.apply([ground])
        defocus.apply([ground])
        lines = []
        for row, line in enumerate(textwrap.wrap(text, job["columns"])):
            layer = _line(line, font, job["em"])
            layer.topleft = (MARGIN, MARGIN + row * job["em"] * 1.2)
            line_colour.apply([layer])
            lines.append(layer)
        text_colour.apply(lines)
        sheet = layers.RectLayer(size, (255, 255, 255, 255))
        paper.apply([sheet])
        for effect in on_sheet:
            effect.apply([*lines, sheet])
        whole = layers.Group([*lines, sheet, ground]).merge()
        for effect in on_all:
            effect.apply([whole])
        pixels = whole.output(bbox=[0, 0, width, height])
        return Image.fromarray(pixels[..., :3].astype(np.uint8))

    return draw


def _line(text: str, font: str, height: float) -> layers.Layer:
    """Characters side by side, each scaled to the line's height."""
    characters, x = [], 0.0
    for character in text:
        layer = layers.TextLayer(character, path=font, size=int(height))
        layer.bbox = [x, 0, *(layer.size * height / layer.height)]
        x = layer.right
        characters.append(layer)
    return layers.Group(characters).merge()


def _pictures(folder: Path, size: tuple[int, int], levels: tuple[int, int]) -> str:
    """A folder of six pictures: coarse noise made smooth, between two levels of grey, in colour."""
    folder.mkdir()
    for number in range(6):
        coarse = np.random.uniform(*levels, (12, 12, 3)).astype(np.float32)
        smooth = cv2.resize(coarse, tuple(size), interpolation=cv2.INTER_CUBIC).clip(0, 255)
        Image.fromarray(smooth.astype(np.uint8)).save(folder / f"{number}.jpg", quality=92)
    return str(folder)


if __name__ == "__main__":
    measure("SynthDoG stand-in", "synthtiger", prepare)
