"""The trainer's speed against named baselines, on this machine: python benchmarks/trainer.py [--threads 2]

Step: forward, backward and AdamW of the transformer alone, against diffusers' `QwenImageTransformer2DModel` in the same
loop with the same weights, tokens and optimizer. The two take turns step by step, and the ratio is that of medians, so
load from outside falls on both. Once with captions of equal length, once with mixed lengths and a mask.

Reader: pictures a second, from Parquet to batches of one shape, against reading the same rows with pyarrow and calling
the same decoder and the same resizing in a plain loop. One decoding thread, no cache; then with the cache filled.
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from diffusers import QwenImageTransformer2DModel
from PIL import Image

from dataengine.decode import decode
from dataengine.trainer.config import DataConfig
from dataengine.trainer.data import Reader, ReaderState, fit
from dataengine.trainer.mmdit import MMDiT, MMDiTConfig
from dataengine.trainer.rope import joint_positions

CHANNELS, TEXT_CHANNELS = 64, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=15, help="timed steps of each")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--side", type=int, default=16, help="tokens a side of the picture")
    parser.add_argument("--text", type=int, default=128, help="tokens of the longest caption")
    parser.add_argument("--pictures", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for lengths in ("equal", "mixed"):
        compare_steps(options, lengths)
    compare_reading(options.pictures)


def compare_steps(options: argparse.Namespace, lengths: str) -> None:
    torch.manual_seed(0)
    config = MMDiTConfig(layers=options.layers, heads=options.heads, axes=(8, 28, 28))
    theirs = QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=CHANNELS,
        out_channels=CHANNELS // 4,
        num_layers=config.layers,
        attention_head_dim=config.head_channels,
        num_attention_heads=config.heads,
        joint_attention_dim=TEXT_CHANNELS,
        axes_dims_rope=config.axes,
    )
    ours = MMDiT(config, CHANNELS, TEXT_CHANNELS)
    ours.load_state_dict(theirs.state_dict())

    batch, side, text = options.batch, options.side, options.text
    clean, noise = torch.randn(2, batch, side * side, CHANNELS).unbind(0)
    states, sigma = torch.randn(batch, text, TEXT_CHANNELS), torch.rand(batch)
    mask = None
    if lengths == "mixed":
        mask = torch.arange(text)[None] < torch.linspace(text // 8, text, batch).long()[:, None]
    noisy = torch.lerp(clean, noise, sigma[:, None, None])

    def our_output() -> torch.Tensor:
        return ours(noisy, states, sigma, joint_positions([[(1, side, side)]], text), text_mask=mask)

    def their_output() -> torch.Tensor:
        shapes = [[(1, side, side)]] * batch
        return theirs(noisy, states, mask, sigma, shapes, return_dict=False)[0]

    assert torch.allclose(our_output(), their_output(), atol=1e-4)
    our_step = step(ours, our_output, noise - clean)
    their_step = step(theirs, their_output, noise - clean)
    own, other = [], []
    for index in range(options.steps + 2):
        for timed, seconds in ((own, our_step()), (other, their_step())):
            if index >= 2:
                timed.append(seconds)
    parameters = sum(p.numel() for p in ours.parameters()) / 1e6
    print(
        f"step, {lengths} lengths, {parameters:.1f} M parameters, {batch} × ({side * side} + {text}) tokens: "
        f"{statistics.median(own):.3f} s, diffusers {statistics.median(other):.3f} s, "
        f"ratio {statistics.median(own) / statistics.median(other):.2f}"
    )


def step(model: torch.nn.Module, output: Callable[[], torch.Tensor], target: torch.Tensor) -> Callable[[], float]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), fused=True)

    def run() -> float:
        began = time.perf_counter()
        (output() - target).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.perf_counter() - began

    return run


def compare_reading(pictures: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pictures.parquet"
        write_pictures(file, pictures)
        size = (256, 256)

        began = time.perf_counter()
        for batch in pq.ParquetFile(file).iter_batches(64):
            for row in batch.to_pylist():
                fit(decode(row["image"])[0], size)
        plain = pictures / (time.perf_counter() - began)

        once = reading_rate(file, pictures, cache=0)
        again = reading_rate(file, pictures, cache=1 << 30)
    print(
        f"reader, {pictures} JPEG of 768 × 768 to 256 × 256: {once:.0f} pictures/s, plain loop {plain:.0f}, "
        f"ratio {once / plain:.2f}; from the cache {again:.0f}"
    )


def reading_rate(file: Path, pictures: int, cache: int) -> float:
    """Pictures a second over one epoch: the first without a cache, the second with one."""
    config = DataConfig(path=str(file), resolution=256, aspects=("1:1",), cache=cache)
    with closing(Reader(config, 16, 16, seed=0).batches(ReaderState())) as batches:
        if cache:
            list(islice(batches, pictures // 16))
        began = time.perf_counter()
        list(islice(batches, pictures // 16))
        return pictures // 16 * 16 / (time.perf_counter() - began)


def write_pictures(file: Path, count: int) -> None:
    """Smooth colours with grain, which compress as photographs do."""
    generator = np.random.default_rng(0)
    images = []
    for _ in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (24, 24, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((768, 768), Image.Resampling.BICUBIC)).astype(np.int16)
        grain = generator.integers(-6, 7, smooth.shape, dtype=np.int16)
        stream = io.BytesIO()
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=92)
        images.append(stream.getvalue())
    table = pa.table({"image": images, "caption": [f"picture {i}" for i in range(count)]})
    pq.write_table(table, file, row_group_size=64)


if __name__ == "__main__":
    main()
