"""Pictures from a checkpoint: prompts in, PNG files and one grid of them all out.

Drawing uses the averaged weights. Each picture has a noise of its own: the first is seeded by `seed`, the next by
`seed + 1`, and so on; so it does not depend on what is drawn beside it. Prompt and seed are written into each file.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from dataengine.config import build
from dataengine.device import choose_device
from dataengine.errors import ManifestError, RunError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.config import TrainConfig
from dataengine.trainer.flow import SOLVERS, FlowConfig, guide, sigma_schedule
from dataengine.trainer.patchify import Size, bucket_size
from dataengine.trainer.text_to_image import Condition, TextToImage

AT_ONCE = 16  # pictures drawn together; twice as many pass the model under guidance


def sample(
    checkpoint: Path,
    prompts: Sequence[str],
    out: Path,
    size: Size | None = None,
    count: int = 1,
    steps: int = 50,
    guidance: float = 4.0,
    seed: int = 0,
    negative: str = "",
    solver: str = "euler",
    device: str = "auto",
) -> list[Path]:
    """Draw `count` pictures a prompt into `out`: `000-0.png` (prompt, picture) and so on, and last `grid.png`.

    checkpoint: a `step-…` folder, or the folder of a training run, which stands for its newest. size: height and width,
    each a multiple of the patch; None is that of the pictures that the model was trained on.
    """
    model, config = load(Path(checkpoint), device)
    size = size or trained_size(config)
    captions = [prompt for prompt in prompts for _ in range(count)]
    pictures = draw(model, captions, size, config.flow, steps, guidance, seed, negative, solver)

    out = Path(out)
    files = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for index, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
            note = PngImagePlugin.PngInfo()
            note.add_itxt("prompt", caption)
            note.add_text("seed", str(seed + index))
            files.append(out / f"{index // count:03d}-{index % count}.png")
            to_image(picture).save(files[-1], pnginfo=note)
        files.append(out / "grid.png")
        grid(pictures, columns=count if count > 1 else math.ceil(math.sqrt(len(captions)))).save(files[-1])
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error}", "make room, or give another --out") from None
    return files


def load(checkpoint: Path, device: str = "auto") -> tuple[TextToImage, TrainConfig]:
    """The model with its averaged weights, on a device, and the configuration that it was trained by."""
    found = checkpoints.read(checkpoint)
    config = build(TrainConfig, found.state["config"], str(found.path / checkpoints.STATE))
    model = TextToImage(config.model).to(choose_device(device))
    model.load_state_dict(found.weights("ema"))
    return model.eval(), config


def trained_size(config: TrainConfig) -> Size:
    """Height and width of the pictures that a model was trained on: its only bucket's, else the square's."""
    aspects = config.data.aspects
    return bucket_size(config.data.resolution, aspects[0] if len(aspects) == 1 else "1:1", config.model.patch)


@torch.no_grad()
def draw(
    model: TextToImage,
    captions: Sequence[str],
    size: Size,
    flow: FlowConfig,
    steps: int,
    guidance: float,
    seed: int,
    negative: str = "",
    solver: str = "euler",
) -> Tensor:
    """uint8 (len(captions), 3, H, W). Guidance leads away from what the `negative` prompt draws; 1 is none, and takes
    half the time. solver: one of `flow.SOLVERS`."""
    patch = model.patch
    if not captions:
        raise ManifestError("no prompt to draw", "give one or more prompts")
    if size[0] % patch or size[1] % patch or min(size) < patch:
        raise ManifestError(
            f"{size[1]}×{size[0]} cannot be drawn", f"both sides must be multiples of the patch, {patch}"
        )
    device = next(model.parameters()).device
    tokens, channels = size[0] // patch * (size[1] // patch), model.transformer.img_in.in_features
    noise = torch.stack([_noise(seed + index, tokens, channels) for index in range(len(captions))])
    sigmas = sigma_schedule(steps, tokens, flow)

    drawn = []
    for start in range(0, len(captions), AT_ONCE):
        chosen = list(captions[start : start + AT_ONCE])
        condition = model.encode(chosen + [negative] * len(chosen) if guidance != 1 else chosen)

        def predict(x: Tensor, sigma: Tensor, condition: Condition = condition) -> Tensor:
            if guidance == 1:
                return model(x, sigma, condition, size)
            both = model(torch.cat([x, x]), torch.cat([sigma, sigma]), condition, size)
            return guide(*both.chunk(2), guidance)

        drawn.append(SOLVERS[solver](predict, noise[start : start + AT_ONCE].to(device), sigmas))
    return model.pixels(torch.cat(drawn), size).cpu()


def grid(pictures: Tensor, columns: int, gap: int = 2) -> Image.Image:
    """Pictures uint8 (n, 3, H, W) in rows of `columns`, on white."""
    count, _, height, width = pictures.shape
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture.permute(1, 2, 0).numpy()
    return Image.fromarray(sheet)


def to_image(picture: Tensor) -> Image.Image:
    """uint8 (3, H, W) as a Pillow image."""
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())


def _noise(seed: int, tokens: int, channels: int) -> Tensor:
    """(tokens, channels), drawn on the CPU so that every device starts from the same picture."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(tokens, channels, generator=generator)
