"""WebDataset: tar shards read in order, rows shuffled in a buffer, worker processes."""

from pathlib import Path

import numpy as np
import torch
import webdataset as wds
from readers import Batches, Job, content, measure


def opened(job: Job):
    def sample(row: dict) -> tuple[np.ndarray, str]:
        return content(job, row["bin"]), row["txt"].decode()

    def collate(rows: list) -> tuple[torch.Tensor, list[str]]:
        arrays, captions = zip(*rows, strict=True)
        return torch.from_numpy(np.stack(arrays)), list(captions)

    urls = sorted(map(str, Path(job["folder"], "tar").glob("*.tar")))
    rows = wds.WebDataset(urls, shardshuffle=len(urls), seed=0).shuffle(1024).map(sample)
    batches = rows.batched(job["batch"], collation_fn=collate)
    loader = wds.WebLoader(batches, batch_size=None, num_workers=job["workers"], persistent_workers=True)

    def epoch() -> Batches:
        return iter(loader)

    return epoch


if __name__ == "__main__":
    measure("webdataset", opened)
