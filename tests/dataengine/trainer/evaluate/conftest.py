"""Small pictures of strings, drawn by the project's own text set, as they stand at rest."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataengine.sample import Sample, samples_table
from stages.synthesize.text_set import Params, TextSet

RECIPE = {
    "name": "strings",
    "languages": {"en": 1},
    "sizes": [[72, 24]],
    "families": ["Noto Sans"],
    "grounds": ["white"],
    "inks": ["black"],
    "plain": True,
    "smallest": 8,
    "captions": "text",
    "format": "png",
}
TEXTS = ("AB", "7K", "X")


def picture_of(text: str) -> Sample:
    """The picture of one string: an alphabet has no other than its own."""
    source = TextSet("strings", 0, Params.model_validate({"set": {**RECIPE, "strings": _only(text)}}))
    for index in range(500):
        found = source.picture(index)
        if isinstance(found, Sample) and found.caption == text:
            return found
    raise AssertionError(f"{text} was never drawn")


def _only(text: str) -> dict[str, object]:
    return {"alphabet": "".join(dict.fromkeys(text)), "length": [len(text), len(text)]}


@pytest.fixture(scope="session")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet file of pictures with annotated text and of one without, beside a file that has none."""
    folder = tmp_path_factory.mktemp("annotated")
    samples = [picture_of(text) for text in TEXTS]
    bare = Sample(**{**vars(samples[0]), "text": (), "sample_id": "0" * 32})
    pq.write_table(samples_table([*samples, bare]), folder / "samples.parquet")
    pq.write_table(pa.table({"path": ["samples.parquet"]}), folder / "index.parquet")
    return folder / "samples.parquet"
