"""Rescue: samples that some filters dropped and a weak class needs, found by words or by looking like others.

The report enriches weak categories by keyword and by image retrieval. Here a rescue names the filters that it may
overrule and a predicate: keywords in captions, or `likeness`, the cosine between a sample's embedding and the mean
embedding of the samples that `like` selects. What a rescue keeps says so in its decision.
"""

import re
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from dataengine.catalog import ordered
from dataengine.config import Config
from dataengine.errors import ManifestError

_LIKENESS = re.compile(r"\blikeness\b")
_SEEDS = 100_000  # samples whose mean is taken, at most


class Rescue(Config):
    """Keeps up to `most` samples that no filter but those of `overrule` drops and for which `where` holds, the first
    `by` this SQL order. `like` is a predicate too; `embedding` the column in which likeness is looked for."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    phase: int | None = None  # from which phase on; in the first when left out
    overrule: list[str] = Field(min_length=1)
    where: str
    like: str | None = None
    embedding: str = "clip_embedding"
    most: int = Field(gt=0)
    by: str = "sample_id"
    note: str = ""

    @model_validator(mode="after")
    def _likeness_to_something(self) -> "Rescue":
        used = bool(_LIKENESS.search(self.where) or _LIKENESS.search(self.by))
        if used and self.like is None:
            raise ValueError("`likeness` stands in `where` or `by`: say in `like` which samples it is to")
        if self.like is not None and not used:
            raise ValueError("`like` is given, but neither `where` nor `by` asks for `likeness`")
        return self

    def checked(self) -> Mapping[str, str]:
        """Predicates over the same columns, by key, before there are samples."""
        found = {"where": _LIKENESS.sub("0.5", self.where)}
        if self.like is not None:
            found |= {"like": self.like, "embedding": f"list_sum({self.embedding}) > 0"}
        return found | {"by": f"({_LIKENESS.sub('0.5', ordered(self.by)[0])}\n) is null"}

    def resolved(self, db: duckdb.DuckDBPyConnection) -> "Rescue":
        """The same with likeness as a number to compute, null where the embedding was never measured. Raises
        ManifestError where `like` selects none of the samples that have one."""
        if self.like is None:
            return self
        if not db.execute(f"select count({self.embedding}) > 0 from measured").fetchall()[0][0]:
            return self._with_likeness("null::float")
        asked = f"select {self.embedding} as e from measured where ({self.like}\n) and {self.embedding} is not null"
        rows = db.sql(f"{asked} order by md5(sample_id) limit {_SEEDS}").to_arrow_table()["e"].combine_chunks()
        if not len(rows):
            message = f"select.rescue.{self.name}.like: {self.like!r} selects no sample that has {self.embedding}"
            raise ManifestError(message, "widen the predicate, or measure the embedding")
        mean = _mean(rows)
        listed = ", ".join(f"{x:.6g}" for x in mean.tolist())
        size = len(mean)  # as arrays: a function of lists takes a missing one for one that holds a null
        found = f"array_cosine_similarity({self.embedding}::float[{size}], [{listed}]::float[{size}])"
        return self._with_likeness(found)

    def _with_likeness(self, found: str) -> "Rescue":
        texts = {"where": _LIKENESS.sub(found, self.where), "by": _LIKENESS.sub(found, self.by)}
        return self.model_copy(update={**texts, "like": None})

    def taken(self, others: str, overruled: str) -> str:
        """SQL for whether the rescue takes a sample. others, overruled: whether the filters that it may not overrule,
        and those that it may, keep it; never null."""
        candidate = f"({others}) and not ({overruled}) and coalesce(({self.where}\n), false)"
        ranked = f"row_number() over (partition by {candidate} order by {self.by}, sample_id, part, row)"
        return f"({candidate} and {ranked} <= {self.most})"


def _mean(rows: Any) -> np.ndarray:
    """The mean of the embeddings, each of unit length first, float64 (d,)."""
    flat = rows.flatten().cast(pa.float32()).to_numpy(zero_copy_only=False)
    vectors = flat.reshape(len(rows), -1).astype(np.float64)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).mean(axis=0)
