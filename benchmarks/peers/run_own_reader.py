"""This project's reader, asked like the peers; runs in the project's own environment."""

from contextlib import closing
from itertools import islice
from pathlib import Path

from readers import Batches, Job, measure

from dataengine.trainer.data import Reader, ReaderState, prefetch
from dataengine.trainer.datasets import DataConfig


def opened(job: Job):
    height, width = job["size"]
    latent = job["kind"] == "latent"
    config = DataConfig(
        path=str(Path(job["folder"], "latents" if latent else "parquet")),
        resolution=round((height * width) ** 0.5),
        aspects=(f"{width}:{height}",),
        workers=job["workers"],
        cache=0,
    )
    reader = Reader(config, job["batch"], 8, seed=0)
    state = ReaderState()

    def epoch() -> Batches:
        nonlocal state
        with closing(prefetch(reader.batches(state))) as batches:
            for batch in islice(batches, job["samples"] // job["batch"]):
                state = batch.state
                yield (batch.latents if latent else batch.pixels), batch.captions

    return epoch


if __name__ == "__main__":
    measure("dataengine", opened)
