"""Encoding against its encoders alone, on this machine: python benchmarks/encoding.py [--pictures 32] [--side 128]

One worker without Ray encodes a shard of JPEGs (read, decode, crop, encode, write); the baseline calls the same
encoders in a plain loop on pictures that are decoded already, and writes nothing. The autoencoder is of Qwen-Image's
size with random weights, which take as long as others; the text encoder is the sentence encoder. Then the same shard is
encoded anew where all can be taken over from the latents before, as after a change of the plan. One thread.
"""

import argparse
import io
import tempfile
import time

import numpy as np
import pyarrow as pa
import torch
from diffusers import AutoencoderKLQwenImage
from PIL import Image

from dataengine import encoding, schema
from dataengine.config import build
from dataengine.manifest import Entry
from dataengine.models import text_encoder, vae
from dataengine.plan import Stage, resolve
from dataengine.run import Mark, Run
from dataengine.trainer.patchify import to_signal
from dataengine.work import Task

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--side", type=int, default=128)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        AutoencoderKLQwenImage().save_pretrained(f"{folder}/vae")
        for name, image in (
            ("pixels", {"kind": "pixels", "patch": 4}),
            ("autoencoder", {"kind": "autoencoder", "model": f"{folder}/vae"}),
        ):
            run = Run(f"{folder}/{name}")
            make_shard(run, asked.pictures, asked.side)
            keys = {"image": image, "text": {"kind": "sentence"}, "resolution": asked.side, "device": "cpu"}
            stage = resolve(
                "encode", build(Entry, {"stage": "encode", "resources": {"batch": BATCH}, **keys}, "encode")
            )
            alone = encoders_alone(stage, asked.pictures, asked.side)
            worker = encoding.ShardEncoder(run, stage.spec)
            [task] = encoding.tasks(run, encoding.outputs(run, stage))
            whole = timed(worker, task)
            size = run.fs.size(task.outputs["encode"].path)
            encoding._set_aside(run, [])
            [again] = encoding.tasks(run, encoding.outputs(run, stage))
            taken = timed(worker, again)
            rates = [asked.pictures / seconds for seconds in (alone, whole, taken)]
            print(
                f"{name:<12} {rates[0]:8.2f} pictures/s by the encoders alone, {rates[1]:8.2f} by encode "
                f"({whole / alone:.2f} × the time), {rates[2]:8.1f} taken over; "
                f"{size / asked.pictures / 1e3:.0f} kB a picture on disk"
            )


def caption(index: int) -> str:
    return f"a poster of {index} lines of text, with a title and a photograph of a landscape above them"


def make_shard(run: Run, pictures: int, side: int) -> None:
    """Smooth pictures with some noise, half as large again as they are encoded."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(pictures):
        smooth = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((side * 3 // 2,) * 2)
        noisy = np.asarray(smooth).astype(np.int16) + rng.integers(-8, 9, (*smooth.size, 3))
        stream = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=92)
        place = {"sample_id": f"{index:032x}", "phase": side, "bucket": "1x1", "copy": 0, "caption": caption(index)}
        size = {"width": smooth.width, "height": smooth.height, "image": {"bytes": stream.getvalue(), "path": None}}
        rows.append({**place, **size, "text": []})
    name = f"{side}/1x1/shard-00000.parquet"
    with run.writer(run.path("shards", name), schema.SHARD) as writer:
        for start in range(0, pictures, 64):
            writer.write(pa.Table.from_pylist(rows[start : start + 64], schema=schema.SHARD))
        writer.commit(Mark("pack", "", ""))
    told = {"path": name, "phase": side, "bucket": "1x1", "rows": pictures, "fingerprint": "shard"}
    with run.writer(run.path("shards", "index.parquet"), schema.INDEX) as writer:
        writer.write(pa.Table.from_pylist([told], schema=schema.INDEX))
        writer.commit(Mark("index", "", ""))


def encoders_alone(stage: Stage, pictures: int, side: int) -> float:
    """Seconds."""
    device = torch.device("cpu")
    image, text = vae.load(stage.params.image, device), text_encoder.load(stage.params.text, device)
    decoded = torch.randint(0, 256, (pictures, 3, side, side), dtype=torch.uint8)
    started = time.perf_counter()
    for start in range(0, pictures, BATCH):
        image.encode(to_signal(decoded[start : start + BATCH]))
        text([caption(index) for index in range(start, min(start + BATCH, pictures))])
    return time.perf_counter() - started


def timed(worker: encoding.ShardEncoder, task: Task) -> float:
    started = time.perf_counter()
    worker(task)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
