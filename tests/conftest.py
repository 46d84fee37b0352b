"""Small real runs on disk for the tests of everything that reads one, a small CLIP, and a server of captions."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dataengine import schema
from dataengine.run import Mark, Run
from dataengine.sample import Sample, samples_table
from tests import small_qwen as small_qwen_model
from tests.chat_server import Server

CLIP_CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture
def make_run(tmp_path) -> Callable[..., Run]:
    """Writes samples, given as dicts of what differs, and signals, given as columns, in parts of `part` rows."""

    def make(samples: Sequence[Mapping[str, Any]], part: int = 100, **signals: Mapping[str, Sequence[Any]]) -> Run:
        run = Run(str(tmp_path / "run"))
        columns = schema.with_image_feature(schema.SAMPLES)
        plain = {"source": "test", "uri": "", "encoded": b"x", "format": "png", "width": 300, "height": 300}
        made = [Sample(**{"sample_id": f"id{i:04d}", **plain, **given}) for i, given in enumerate(samples)]
        for index, start in enumerate(range(0, len(made), part)):
            rows = made[start : start + part]
            write(run, "samples", index, samples_table(rows).cast(columns), inputs=len(rows))
            for name, values in signals.items():
                ids = pa.array([s.sample_id for s in rows], pa.string())
                table = pa.table({"sample_id": ids, **{k: v[start : start + part] for k, v in values.items()}})
                write(run, f"signals/{name}", index, table)
        return run

    return make


def write(run: Run, dataset: str, index: int, table: pa.Table, inputs: int = 0) -> None:
    with run.writer(run.part(dataset, index), table.schema) as writer:
        writer.write(table)
        writer.commit(Mark("test", "", "", inputs=inputs))


@pytest.fixture
def write_part() -> Callable[..., None]:
    """Writes one part of any dataset: (run, dataset, index, table)."""
    return write


@pytest.fixture(scope="session")
def open_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of 32 dimensions with random weights, in open_clip's own format."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("open_clip")
    torch.manual_seed(0)
    model = open_clip.CLIP(**CLIP_CONFIG)
    preprocess = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CLIP_CONFIG, "preprocess_cfg": preprocess}))
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="session")
def small_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Qwen2.5-VL that answers in JSON for a red and a blue square."""
    folder = tmp_path_factory.mktemp("qwen")
    small_qwen_model.make(folder)
    return folder


@pytest.fixture(scope="session")
def random_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Qwen2.5-VL of 64 dimensions and random weights."""
    folder = tmp_path_factory.mktemp("random_qwen")
    small_qwen_model.make(folder, taught=False)
    return folder


@pytest.fixture(scope="session")
def small_vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an autoencoder of Qwen-Image's kind, narrow and with random weights; 16 channels, factor 8."""
    import torch
    from diffusers import AutoencoderKLQwenImage

    folder = tmp_path_factory.mktemp("vae")
    torch.manual_seed(0)
    AutoencoderKLQwenImage(base_dim=8, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=1).save_pretrained(folder)
    return folder
