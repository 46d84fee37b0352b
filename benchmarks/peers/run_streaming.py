"""MosaicML Streaming: MDS shards on this machine, read by index in its own shuffled order, worker processes.

`--write FOLDER` makes the shards of the samples in FOLDER/tar."""

import sys
import tarfile
from pathlib import Path

import numpy as np
import torch
from readers import Batches, Job, content, measure
from streaming import MDSWriter, StreamingDataset
from torch.utils.data import DataLoader


class Samples(StreamingDataset):
    def __init__(self, job: Job) -> None:
        super().__init__(local=str(Path(job["folder"], "mds")), shuffle=True, shuffle_seed=0, batch_size=job["batch"])
        self.job = job

    def __getitem__(self, index: int) -> tuple[np.ndarray, str]:
        row = super().__getitem__(index)
        return content(self.job, row["image"]), row["caption"]


def collate(rows: list) -> tuple[torch.Tensor, list[str]]:
    arrays, captions = zip(*rows, strict=True)
    return torch.from_numpy(np.stack(arrays)), list(captions)


def opened(job: Job):
    loader = DataLoader(
        Samples(job), job["batch"], num_workers=job["workers"], persistent_workers=True, collate_fn=collate
    )

    def epoch() -> Batches:
        return iter(loader)

    return epoch


def write(folder: Path) -> None:
    with MDSWriter(out=str(folder / "mds"), columns={"image": "bytes", "caption": "str"}) as out:
        for file in sorted(folder.glob("tar/*.tar")):
            with tarfile.open(file) as tar:
                members = [tar.extractfile(member).read() for member in tar]
            for image, caption in zip(members[::2], members[1::2], strict=True):
                out.write({"image": image, "caption": caption.decode()})


if __name__ == "__main__" and "--write" in sys.argv:
    write(Path(sys.argv[-1]))
elif __name__ == "__main__":
    measure("mosaicml-streaming", opened)
