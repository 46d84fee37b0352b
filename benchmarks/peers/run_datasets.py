"""Hugging Face datasets: the same Parquet files, streamed with a shuffle buffer (`--streamed`) or mapped and sampled at
random from its Arrow cache; worker processes."""

import sys
import tempfile
from pathlib import Path

import datasets
import numpy as np
import torch
from readers import Batches, Job, content, measure
from torch.utils.data import DataLoader

STREAMED = "--streamed" in sys.argv
datasets.disable_progress_bars()


def opened(job: Job):
    def collate(rows: list) -> tuple[torch.Tensor, list[str]]:
        arrays = [content(job, row["image"]) for row in rows]
        return torch.from_numpy(np.stack(arrays)), [row["caption"] for row in rows]

    files = sorted(map(str, Path(job["folder"], "parquet").glob("*.parquet")))
    cache = tempfile.mkdtemp()
    rows = datasets.load_dataset("parquet", data_files=files, split="train", streaming=STREAMED, cache_dir=cache)
    rows = rows.select_columns(["image", "caption"])
    if STREAMED:
        rows = rows.shuffle(seed=0, buffer_size=1024)
    how = {} if STREAMED else {"shuffle": True}
    loader = DataLoader(
        rows, job["batch"], num_workers=job["workers"], persistent_workers=True, collate_fn=collate, **how
    )

    def epoch() -> Batches:
        return iter(loader)

    return epoch


if __name__ == "__main__":
    measure("datasets", opened)
