"""All that is measured of a checkpoint, in one call: text by OCR, and, where the prompts come with pictures, the
held-out loss on these and what the image tokenizer makes of them.

`out` gets evaluation.json (the figures and how they came about), readings.jsonl (a prompt a line) and readings.png.
Every picture has a noise of its own, seeded by its place, so figures of two checkpoints compare picture by picture.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dataengine.decode import decode_picture
from dataengine.errors import ManifestError, RunError
from dataengine.trainer.evaluate import prompts as asked
from dataengine.trainer.evaluate import reading, writing
from dataengine.trainer.evaluate.accuracy import Accuracy
from dataengine.trainer.evaluate.fidelity import Fidelity, fidelity
from dataengine.trainer.evaluate.held_out import HeldOut, held_out_loss
from dataengine.trainer.evaluate.prompts import Prompt
from dataengine.trainer.patchify import Size
from dataengine.trainer.pictures import fit
from dataengine.trainer.sample import draw, load, trained_size
from dataengine.trainer.text_to_image import Condition, TextToImage

_AT_ONCE = 16
_SHOWN = 64  # pictures of the sheet


@dataclass(frozen=True)
class Evaluation:
    """Accuracies by group of prompts, of drawn pictures and of true renderings, and what else could be measured."""

    groups: Mapping[str, Accuracy]
    ceiling: Mapping[str, Accuracy]
    held_out: HeldOut | None
    fidelity: Fidelity | None


def evaluate(
    checkpoint: Path,
    on: Path,
    out: Path,
    read: reading.Kind = "page",
    limit: int | None = None,
    size: Size | None = None,
    steps: int = 30,
    guidance: float = 4.0,
    seed: int = 0,
    solver: str = "euler",
    device: str = "auto",
) -> Evaluation:
    """Judge a checkpoint on the prompts of a file, see `prompts`. Raises ManifestError where its texts have characters
    that the reader does not know: nothing could be told of those."""
    prompts = asked.read(on, limit=limit)
    if unknown := reading.unread(text for prompt in prompts for text in prompt.texts):
        message = f"{on}: the reader does not know {unknown[:40]!r}"
        raise ManifestError(message, "leave out prompts with such characters: it reads Latin, Chinese and Japanese")
    model, config = load(checkpoint, device)
    size = size or trained_size(config)
    pictures = draw(model, [p.prompt for p in prompts], size, config.flow, steps, guidance, seed, solver=solver)
    drawn = list(pictures.permute(0, 2, 3, 1).contiguous().numpy())
    written = writing.judge(prompts, drawn, reading.load(read))
    true = [prompt for prompt in prompts if prompt.picture]
    found = Evaluation(
        written.groups,
        written.ceiling,
        held_out_loss(model, _encoded(model, true, size), seed=seed) if true else None,
        _tokenizer(model, true, size) if true and config.model.image.kind != "pixels" else None,
    )
    how = {"on": str(on), "read": read, "steps": steps, "guidance": guidance, "seed": seed, "solver": solver}
    _write(found, written, drawn, out, {"checkpoint": str(checkpoint), "size": [size[1], size[0]], **how})
    return found


def _batches(prompts: Sequence[Prompt], size: Size) -> Iterator[tuple[Tensor, list[str], Size]]:
    for start in range(0, len(prompts), _AT_ONCE):
        some = prompts[start : start + _AT_ONCE]
        pixels = np.stack([fit(decode_picture(prompt.picture or b""), size) for prompt in some])
        yield torch.from_numpy(pixels).permute(0, 3, 1, 2), [prompt.prompt for prompt in some], size


@torch.no_grad()
def _encoded(model: TextToImage, prompts: Sequence[Prompt], size: Size) -> Iterator[tuple[Tensor, Condition, Size]]:
    for pixels, captions, _ in _batches(prompts, size):
        yield model.tokens(pixels), model.encode(captions), size


@torch.no_grad()
def _tokenizer(model: TextToImage, prompts: Sequence[Prompt], size: Size) -> Fidelity:
    originals = [pixels for pixels, _, _ in _batches(prompts, size)]
    made = [model.pixels(model.tokens(pixels), size).cpu() for pixels in originals]
    return fidelity(torch.cat(originals), torch.cat(made))


def _write(
    found: Evaluation,
    written: writing.Written,
    pictures: Sequence[np.ndarray],
    out: Path,
    how: Mapping[str, object],
) -> None:
    lines = [
        {"prompt": d.prompt.prompt, "texts": d.prompt.texts, "read": d.read, **asdict(d.score)} for d in written.drawn
    ]
    try:
        out.mkdir(parents=True, exist_ok=True)
        figures = json.dumps({**how, **asdict(found)}, indent=2, ensure_ascii=False)
        (out / "evaluation.json").write_text(figures + "\n", encoding="utf-8")
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (out / "readings.jsonl").write_text(text, encoding="utf-8")
        writing.sheet(written.drawn[:_SHOWN], pictures[:_SHOWN]).save(out / "readings.png")
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error}", "make room, or give another --out") from None
