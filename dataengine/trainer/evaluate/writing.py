"""Whether a model can write: prompts are drawn, the pictures read by OCR, and what was read is held against the texts.

Where the prompts come with true renderings these are read too: what the reader makes of them is the ceiling.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dataengine.decode import decode
from dataengine.trainer.evaluate.accuracy import Accuracy, Score, score
from dataengine.trainer.evaluate.prompts import Prompt
from dataengine.trainer.evaluate.reading import Reader

_BANDS = (1, 2, 3, 4, 8, 16, 64, 256)  # characters of a prompt's texts, up to which a band of lengths reaches
_AT_ONCE = 32  # pictures read together


@dataclass(frozen=True)
class Drawn:
    """A prompt, what was read in the picture drawn for it, and how well."""

    prompt: Prompt
    read: tuple[str, ...]
    score: Score


@dataclass(frozen=True)
class Written:
    """`groups` are by name: all, then by language, tier and length. `ceiling` is that of the true renderings."""

    groups: Mapping[str, Accuracy]
    ceiling: Mapping[str, Accuracy]
    drawn: Sequence[Drawn]


def judge(prompts: Sequence[Prompt], pictures: Sequence[np.ndarray], reader: Reader) -> Written:
    """pictures: uint8 (H, W, 3), one a prompt."""
    drawn = list(_judged(prompts, pictures, reader))
    true = [prompt for prompt in prompts if prompt.picture]
    rendered = [decode(p.picture or b"")[0] for p in true]
    return Written(grouped(drawn), grouped(list(_judged(true, rendered, reader))), drawn)


def grouped(drawn: Sequence[Drawn]) -> dict[str, Accuracy]:
    """The accuracy of all, and of every group of which there is more than one."""
    groups: dict[str, list[Score]] = {}
    for one in drawn:
        for name in ("all", *_groups_of(one.prompt)):
            groups.setdefault(name, []).append(one.score)
    whole = len(groups.get("all", []))
    return {
        name: Accuracy.of(scores)
        for name, scores in sorted(groups.items(), key=lambda item: (item[0] != "all", _order(item[0])))
        if name == "all" or len(scores) < whole
    }


def sheet(drawn: Sequence[Drawn], pictures: Sequence[np.ndarray], columns: int = 8) -> Image.Image:
    """Pictures of one size in rows, on green where they were read without an error and on red where not."""
    height, width = pictures[0].shape[:2]
    factor, edge = max(1, 128 // width), 6
    across, down = width * factor + 2 * edge, height * factor + 2 * edge
    columns = min(columns, len(pictures))
    made = Image.new("RGB", (columns * across, math.ceil(len(pictures) / columns) * down), "white")
    for number, (one, pixels) in enumerate(zip(drawn, pictures, strict=True)):
        left, top = number % columns * across, number // columns * down
        colour = (46, 160, 67) if one.score.exact else (207, 34, 46)
        made.paste(colour, (left + 2, top + 2, left + across - 2, top + down - 2))
        picture = Image.fromarray(pixels).resize((width * factor, height * factor), Image.Resampling.NEAREST)
        made.paste(picture, (left + edge, top + edge))
    return made


def _judged(prompts: Sequence[Prompt], pictures: Sequence[np.ndarray], reader: Reader) -> Iterator[Drawn]:
    for start in range(0, len(prompts), _AT_ONCE):
        some = prompts[start : start + _AT_ONCE]
        for prompt, lines in zip(some, reader(pictures[start : start + _AT_ONCE]), strict=True):
            yield Drawn(prompt, tuple(lines), score(prompt.texts, lines))


def _groups_of(prompt: Prompt) -> Iterator[str]:
    if prompt.language:
        yield f"language {prompt.language}"
    if prompt.tier:
        yield f"tier {prompt.tier}"
    length = sum(len(text) for text in prompt.texts)
    most = next((most for most in _BANDS if length <= most), None)
    yield f"{most} characters" if most and most <= 4 else f"up to {most} characters" if most else "longer texts"


def _order(name: str) -> tuple[int, str]:
    number = next((int(word) for word in name.split() if word.isdigit()), 1 << 30)
    return number, name
