"""Real, small inputs for the trainer's tests: pictures, shards as `pack` lays them out, and a configuration."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from dataengine import schema
from dataengine.trainer.config import TrainConfig

COLOURS = ("red", "green", "blue", "yellow", "black", "white", "purple", "orange")


@pytest.fixture(scope="session", autouse=True)
def two_threads():
    torch.set_num_threads(2)


def encode_picture(seed: int, size: tuple[int, int] = (48, 48), form: str = "PNG") -> bytes:
    """A picture of smooth colours that belongs to its seed alone; size is width, height."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(stream, form)
    return stream.getvalue()


def caption(seed: int) -> str:
    return f"{COLOURS[seed % len(COLOURS)]} picture {seed}"


@pytest.fixture(scope="session")
def picture() -> Callable[..., bytes]:
    return encode_picture


def sample_row(seed: int, bucket: str, size: tuple[int, int], phase: int = 256) -> dict[str, object]:
    return {
        "sample_id": f"{seed:032x}",
        "source": "test",
        "uri": f"test/{seed}",
        "image": {"bytes": encode_picture(seed, size), "path": None},
        "format": "png",
        "width": size[0],
        "height": size[1],
        "caption": caption(seed),
        "language": "en",
        "category": "synthetic",
        "license": "CC0-1.0",
        "text": [],
        "meta": json.dumps({"seed": seed}),
        "phase": phase,
        "bucket": bucket,
        "copy": 0,
    }


def write_shard(path: Path, rows: Sequence[dict[str, object]], group: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(list(rows), schema=schema.with_image_feature(schema.SHARD))
    pq.write_table(table, path, row_group_size=group)
    return path


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    return write_shards(tmp_path / "shards")


@pytest.fixture(scope="module")
def module_shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as `shards`, for tests that only read."""
    return write_shards(tmp_path_factory.mktemp("run") / "shards")


def write_shards(root: Path) -> Path:
    """RUN/shards with 22 square and 13 wide samples of phase 256, 6 square ones of phase 640, and an index."""
    files = {
        "256/1x1/shard-00000.parquet": [sample_row(seed, "1x1", (48, 48)) for seed in range(12)],
        "256/1x1/shard-00001.parquet": [sample_row(seed, "1x1", (48, 48)) for seed in range(12, 22)],
        "256/3x2/shard-00000.parquet": [sample_row(seed, "3x2", (60, 40)) for seed in range(22, 35)],
        "640/1x1/shard-00000.parquet": [sample_row(seed, "1x1", (96, 96), 640) for seed in range(35, 41)],
    }
    index = []
    for name, rows in files.items():
        path = write_shard(root / name, rows)
        phase, bucket, _ = name.split("/")
        size = path.stat().st_size
        index.append(
            {"path": name, "phase": int(phase), "bucket": bucket, "rows": len(rows), "bytes": size, "digest": "0" * 32}
        )
    pq.write_table(pa.Table.from_pylist(index, schema=schema.INDEX), root / "index.parquet")
    return root


@pytest.fixture
def tiny(shards: Path, tmp_path: Path) -> Callable[..., TrainConfig]:
    """A configuration whose steps take milliseconds; keyword arguments replace its top-level keys."""

    def make(**changes: object) -> TrainConfig:
        return TrainConfig.model_validate(
            {
                "name": "tiny",
                "out": str(tmp_path / "train"),
                "data": {"path": str(shards), "phase": 256, "resolution": 16, "shuffle": 8},
                "steps": 6,
                "batch": 4,
                "model": {
                    "patch": 4,
                    "transformer": {"layers": 2, "heads": 2, "axes": [4, 6, 6]},
                    "text": {"width": 16, "layers": 1, "heads": 2, "max_bytes": 32},
                },
                "schedule": {"warmup": 2},
                "checkpoint": {"every": 3},
                "log": {"every": 2},
                "device": "cpu",
            }
            | changes
        )

    return make
