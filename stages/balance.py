"""Balance: how often each kept sample is used in a phase, so that categories reach their target shares.

A category's need is its target share of `size` (by default as many as were kept). Its samples are repeated, at most
`max_repeats` times each, or thinned; what is left over by rounding goes to samples drawn by a seeded hash, the same
ones in every phase. An under-filled category stays under-filled: `dataengine stats` shows it, nothing is padded.
"""

from typing import Annotated

import duckdb
import pyarrow as pa
from pydantic import Field, model_validator

from dataengine import schema
from dataengine.config import Config, suggest
from dataengine.errors import ManifestError

UNKNOWN = "unknown"
"""The name under which samples without a value of the balanced column are counted."""


class Params(Config):
    """Without `target` each kept sample is used once."""

    by: str = "category"
    target: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    max_repeats: int = Field(1, ge=1)
    size: int | None = Field(None, gt=0)  # samples of a phase, repeats counted

    @model_validator(mode="after")
    def _shares(self) -> "Params":
        total = sum(self.target.values())
        if self.target and abs(total - 1) > 1e-6:
            raise ValueError(f"target: the shares must sum to 1, not {total:g}")
        return self


class Balance:
    """The engine's `balance`: writes `weights`."""

    Params = Params
    version = 1
    columns = schema.WEIGHTS

    def __init__(self, seed: int, params: Params) -> None:
        self.seed, self.params = seed, params

    def check(self, db: duckdb.DuckDBPyConnection) -> None:
        known = [r[0] for r in db.execute("describe measured").fetchall()]
        if self.params.by not in known:
            message = f"balance.by: no column {self.params.by!r}{suggest(self.params.by, known)}"
            raise ManifestError(message, "name a column of the samples or of a signal")

    def rows(self, db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
        db.execute(f"""
            create or replace temp table _kept as
            select d.sample_id, d.phase, d.part, d.row, m.category, m.language,
                coalesce(m."{self.params.by}"::varchar, '{UNKNOWN}') as class
            from decisions d join measured m using (part, row) where d.kept
        """)
        if not self.params.target:
            return db.sql("""
                select sample_id, phase, category, language, 1::int as repeats, part, row
                from _kept order by part, row, phase
            """).to_arrow_reader(1 << 16)
        self._refuse_untargeted(db)
        db.register(
            "_target", pa.table({"class": list(self.params.target), "share": list(self.params.target.values())})
        )
        size = self.params.size or "sum(count(*)) over (partition by phase)"
        return db.sql(f"""
            with need as (
                select phase, class, count(*) as n,
                    least(round(share * {size})::bigint, count(*) * {self.params.max_repeats}) as uses
                from _kept join _target using (class) group by phase, class, share
            ),
            ranked as (
                select *, row_number() over (
                    partition by phase, class order by md5('{self.seed}:balance:' || sample_id), part, row
                ) as rank from _kept
            )
            select sample_id, phase, category, language,
                (uses // n + (rank <= uses % n)::int)::int as repeats, part, row
            from ranked join need using (phase, class) order by part, row, phase
        """).to_arrow_reader(1 << 16)

    def _refuse_untargeted(self, db: duckdb.DuckDBPyConnection) -> None:
        found = db.execute(
            "select class, count(distinct (part, row)) from _kept group by class order by class"
        ).fetchall()
        for name, count in found:
            if name not in self.params.target:
                raise ManifestError(
                    f"balance.target: {count} kept samples are of {self.params.by} {name!r}, which has no target"
                    f"{suggest(name, list(self.params.target))}",
                    f"add `{name}: <share>` (0 leaves it out), or give the source another {self.params.by}",
                )
