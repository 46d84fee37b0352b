"""The reader beside webdataset, MosaicML Streaming and `datasets`, on the same samples: python benchmarks/reader.py

benchmarks/peers/install first. Samples a second, from files to batches, of

- `png`: small pictures of 72 × 24, as the proof trains on;
- `jpeg`: JPEGs of 768 × 768 brought to 256 × 256;
- `large`: JPEGs of 1,536 × 1,536 brought to 256 × 256, where libjpeg may decode at half the size;
- `latent`: latents of 16 × 32 × 32 with a caption, as training at 256 × 256 reads them, and nothing to decode.

Each reader runs alone, in its own environment, with one worker and then two: a process for the peers, a decoding thread
here. All shuffle within a buffer of about 1,024 samples. They take turns, several times, and the best of each counts, so
that load from outside falls on none. `--only` and `--workers` make one run shorter.

--quality instead: how near a picture from a JPEG at half its size is to that from all its pixels, as PSNR.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dataengine import schema

HERE = Path(__file__).parent / "peers"
HOME = HERE.parents[1] / "build" / "peers"
READERS = {
    "this project": ("run_own_reader.py", None),
    "webdataset": ("run_webdataset.py", "webdataset"),
    "streaming": ("run_streaming.py", "streaming"),
    "datasets, mapped": ("run_datasets.py", "datasets"),
    "datasets, streamed": ("run_datasets.py --streamed", "datasets"),
}
# samples, side or sides of the file (width, height), size brought to (height, width), batch
KINDS = {
    "png": (8192, (72, 24), (24, 72), 64),
    "jpeg": (768, (768, 768), (256, 256), 16),
    "large": (384, (1536, 1536), (256, 256), 16),
    "latent": (4096, None, (256, 256), 64),
}
FILES = 4
GROUP = 64  # rows of a row group


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--quality", action="store_true")
    options = parser.parse_args()
    if options.quality:
        return quality()
    for kind in options.only:
        with tempfile.TemporaryDirectory() as folder:
            count, _, size, batch = KINDS[kind]
            write(Path(folder), kind)
            job = {"folder": folder, "kind": kind, "size": size, "batch": batch, "samples": count, "epochs": 2}
            for workers in options.workers:
                compare(job | {"workers": workers}, options.turns)
    return None


def compare(job: dict, turns: int) -> None:
    """Let the readers take turns, and print the best rate of each."""
    best: dict[str, float] = {}
    sums: dict[str, int] = {}
    for _ in range(turns):
        for name in READERS:
            answer = ask(name, job)
            assert answer["samples"] == job["samples"], (name, answer)
            best[name] = max(best.get(name, 0), *answer["rates"])
            sums[name] = answer["sum"]
    own = best.pop("this project")
    print(f"{job['kind']}, {job['workers']} workers: this project {own:.0f}/s", end="")
    for name, rate in sorted(best.items(), key=lambda item: -item[1]):
        print(f"; {name} {rate:.0f} ({own / rate:.2f} ×)", end="")
    same = len(set(sums.values())) == 1
    print("" if same else "; contents differ: " + ", ".join(f"{name} {sum}" for name, sum in sums.items()), flush=True)


def ask(name: str, job: dict) -> dict:
    script, environment = READERS[name]
    python = Path(sys.executable) if environment is None else HOME / environment / ".venv/bin/python"
    if not python.exists():
        raise SystemExit(f"{name} is not installed: benchmarks/peers/install")
    own = {"PYTHONPATH": str(HERE.parents[1])} if environment is None else {}
    done = subprocess.run(
        [python, *script.split()],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        cwd=HERE,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"} | own,
    )
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def write(folder: Path, kind: str) -> None:
    """The same samples as Parquet, as tar and, by its own environment, as MDS."""
    for name in ("parquet", "tar", "latents"):
        (folder / name).mkdir()
    samples = list(made(kind))
    per = -(-len(samples) // FILES)
    for file in range(FILES):
        part = samples[file * per : (file + 1) * per]
        encoded, captions = map(list, zip(*part, strict=True))
        table = pa.table({"image": pa.array(encoded, pa.binary()), "caption": captions})
        pq.write_table(table, folder / "parquet" / f"{file:05d}.parquet", row_group_size=GROUP)
        if kind == "latent":
            pq.write_table(latents(encoded, captions), folder / "latents" / f"{file:05d}.parquet", row_group_size=GROUP)
        with tarfile.open(folder / "tar" / f"{file:05d}.tar", "w") as tar:
            for number, (content, caption) in enumerate(part):
                for suffix, data in (("bin", content), ("txt", caption.encode())):
                    entry = tarfile.TarInfo(f"{file:05d}-{number:06d}.{suffix}")
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
    python = HOME / "streaming/.venv/bin/python"
    subprocess.run([python, HERE / "run_streaming.py", "--write", folder], check=True)


def made(kind: str) -> Iterator[tuple[bytes, str]]:
    """Smooth colours, with grain where they are to compress as photographs do; of latents, noise."""
    count, size, _, _ = KINDS[kind]
    generator = np.random.default_rng(0)
    for number in range(count):
        caption = f"picture {number}"
        if size is None:
            yield generator.integers(0, 1 << 16, 16 * 32 * 32, dtype=np.uint16).tobytes(), caption
            continue
        coarse = Image.fromarray(generator.integers(0, 256, (24, 24, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
        grain = 0 if kind == "png" else generator.integers(-6, 7, smooth.shape, dtype=np.int16)
        stream = io.BytesIO()
        picture = Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))
        picture.save(stream, "PNG" if kind == "png" else "JPEG", **({} if kind == "png" else {"quality": 92}))
        yield stream.getvalue(), caption


def latents(encoded: list[bytes], captions: list[str]) -> pa.Table:
    """Rows of `schema.LATENTS` with the values given; states are not at rest."""
    rows = [
        {
            "sample_id": caption,
            "height": 256,
            "width": 256,
            "latent": {"shape": [16, 32, 32], "values": values},
            "captions": [{"name": "caption", "caption": caption, "shape": None, "states": None}],
        }
        for values, caption in zip(encoded, captions, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema.LATENTS)


if __name__ == "__main__":
    main()
