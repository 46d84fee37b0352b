"""Pack: which shard each use of a sample goes to, and in what order.

A phase's samples are put into aspect buckets (the nearest ratio on a log scale) and shuffled by a seeded hash. The
shuffle is local: parts are shuffled whole and taken in windows of `window_parts`, and samples are shuffled within a
window, so that a shard is gathered from the few parts of the windows that it spans; only a rare bucket's spans many.
The trainer shuffles again, over shards and in a buffer.
"""

import math

import duckdb
import pyarrow as pa
from pydantic import Field, field_validator

from dataengine import catalog, schema
from dataengine.config import Config, Size
from dataengine.errors import ManifestError


class Params(Config):
    """`aspects` are width:height; a bucket is named after its own, as `16x9`. `captions`: further columns of shards, or
    another `caption`, each by SQL over what is known of a sample; null where a caption is not to be trained on."""

    shard_bytes: Size = 128_000_000
    aspects: list[str] = Field(["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "1:3", "3:1"], min_length=1)
    window_parts: int = Field(8, ge=1)
    captions: dict[str, str] = {}

    @field_validator("captions")
    @classmethod
    def _named(cls, captions: dict[str, str]) -> dict[str, str]:
        taken = set(schema.SHARD.names) - {"caption"}
        for name in captions:
            if name in taken or not name.isidentifier():
                raise ValueError(f"{name!r} cannot name a caption: a column of shards, or no identifier")
        return captions

    @field_validator("aspects")
    @classmethod
    def _ratios(cls, aspects: list[str]) -> list[str]:
        for aspect in aspects:
            width, colon, height = aspect.partition(":")
            if not (colon and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
                raise ValueError(f"{aspect!r} is not width:height, as in 3:4")
        return aspects


class Pack:
    """The engine's `pack`: writes the plan from which shards are gathered."""

    Params = Params
    version = 4
    columns = schema.PLAN

    def __init__(self, seed: int, params: Params) -> None:
        self.seed, self.params = seed, params

    def check(self, db: duckdb.DuckDBPyConnection) -> None:
        for name, expression in self.params.captions.items():
            kind = catalog.kind_of(db, f"pack.captions.{name}", expression)
            if kind != "VARCHAR":
                raise ManifestError(f"pack.captions.{name} is a {kind}, not a text", "cast it: (…)::varchar")

    def rows(self, db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
        ratios = [tuple(map(int, a.split(":"))) for a in self.params.aspects]
        db.register(
            "_buckets",
            pa.table({"bucket": [f"{w}x{h}" for w, h in ratios], "ratio": [math.log(w / h) for w, h in ratios]}),
        )
        captions = "".join(f', "{name}"' for name in self.params.captions)
        return db.sql(f"""
            with said as ({self._said(db)}),
            uses as (
                select w.phase, w.sample_id, w.part, w.row, s.bytes, ln(s.width / s.height) as ratio,
                    unnest(range(w.repeats))::int as copy
                from weights w join samples s using (part, row) where w.repeats > 0
            ),
            windows as (
                select part, (row_number() over (order by md5('{self.seed}:window:' || part)) - 1)
                    // {self.params.window_parts} as place
                from (select distinct part from samples)
            ),
            placed as (
                select *, (select arg_min(bucket, (abs(b.ratio - uses.ratio), bucket)) from _buckets b) as bucket,
                    md5('{self.seed}:pack:' || phase || ':' || sample_id || ':' || copy) as key
                from uses join windows using (part)
            ),
            cut as (
                select *, (sum(bytes) over shuffled - bytes) // {self.params.shard_bytes} as step
                from placed
                window shuffled as (
                    partition by phase, bucket order by place, key, part, row, copy
                    rows between unbounded preceding and current row
                )
            )
            select phase, bucket, (dense_rank() over (partition by phase, bucket order by step) - 1)::int as shard,
                sample_id, copy, part, row, bytes{captions}
            from cut {"join said using (part, row)" if captions else ""}
            order by phase, bucket, shard, place, key, part, row, copy
        """).to_arrow_reader(1 << 16)

    def _said(self, db: duckdb.DuckDBPyConnection) -> str:
        """The captions of every sample, by its position."""
        known = catalog.columns(db, "measured")
        wanted = {c for e in self.params.captions.values() for c in catalog.referenced_columns(db, e, known)}
        said = "".join(f', ({expression}\n) as "{name}"' for name, expression in self.params.captions.items())
        return f"select part, row{said} from {catalog.measured(db, wanted)}"
