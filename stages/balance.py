"""Balance: how often each kept sample is used in a phase, so that classes reach their target shares.

A class is what an SQL expression over the measured columns says: the category, the language, a band of text lengths.
Several dimensions are balanced at once, and classes within classes (`stages.quotas`). The samples of a cell are
repeated, at most `max_repeats` times each, or thinned: the best by `prefer` stay, else those that a seeded hash draws,
the same ones in every phase. `concepts` weighs the samples of a cell by how common what they hold is
(`stages.concepts`). An under-filled class stays under-filled: `dataengine stats` shows it, nothing is padded.
"""

from collections.abc import Mapping
from typing import Annotated

import duckdb
import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from dataengine import catalog, schema
from dataengine.config import Config, suggest
from dataengine.errors import ManifestError
from stages.concepts import Concepts
from stages.quotas import Quota, uses, whole

UNKNOWN = "unknown"
"""The name under which samples without a value of a balanced expression are counted."""

Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Dimension(Config):
    """What is balanced, an SQL expression, and its shares: `target` names them, `temper` makes them the counts to that
    power (0 for equal shares). `within`: shares of each class of the dimensions before it."""

    by: str = "category"
    target: dict[str, Share] = {}
    temper: float | None = Field(None, ge=0, le=1)
    within: bool = False

    @model_validator(mode="after")
    def _shares(self) -> "Dimension":
        if self.target and self.temper is not None:
            raise ValueError("give either `target` or `temper`")
        total = sum(self.target.values())
        if self.target and abs(total - 1) > 1e-6:
            raise ValueError(f"target: the shares must sum to 1, not {total:g}")
        return self

    @property
    def asks(self) -> bool:
        return bool(self.target) or self.temper is not None

    @property
    def quota(self) -> Quota:
        return Quota(self.target, self.temper, self.within)


class Params(Dimension):
    """`category`: what `weights` calls a sample's category, for dimensions to use as `category`. `also`: further
    dimensions. Without any share each kept sample is used once, or as its concepts weigh."""

    category: str = "category"
    also: list[Dimension] = []
    prefer: list[str] = []  # SQL to order by, the best first: `aesthetic desc`
    concepts: Concepts | None = None
    max_repeats: int = Field(1, ge=1)
    size: int | None = Field(None, gt=0)  # samples of a phase, repeats counted

    @model_validator(mode="after")
    def _no_dimension_in_vain(self) -> "Params":
        if "by" in self.model_fields_set and not self.asks:
            raise ValueError("by: give its shares too, as `target`, or `temper`")
        for i, dimension in enumerate(self.also):
            if not dimension.asks:
                raise ValueError(f"also.{i}: give the shares of {dimension.by} too, as `target`, or `temper`")
        return self

    @property
    def dimensions(self) -> list[Dimension]:
        return [d for d in (self, *self.also) if d.asks]


class Balance:
    """The engine's `balance`: writes `weights`."""

    Params = Params
    version = 4
    columns = schema.WEIGHTS

    def __init__(self, seed: int, params: Params) -> None:
        self.seed, self.params = seed, params

    def check(self, db: duckdb.DuckDBPyConnection) -> None:
        assigned = f"(select * replace (({self.params.category}\n)::varchar as category) from measured)"
        for where, expression in self._expressions().items():
            source = "measured" if where == "category" else assigned
            kind = catalog.kind_of(db, f"balance.{where}", expression, source)
            if where == "concepts.of" and kind != "VARCHAR[]":
                raise ManifestError(f"balance.{where} is a {kind}, not a list of texts", "see docs/balance.md")
            if where.endswith("by") and (kind.endswith("[]") or kind.startswith(("STRUCT", "MAP"))):
                remedy = "name one class for each sample; what samples hold several of is for `concepts`"
                raise ManifestError(f"balance.{where} is a {kind}", remedy)
            try:  # `qualify` refuses what would count a sample twice or not at all
                once = f"qualify ({expression}\n) is null or row_number() over () > 0"
                db.execute(f"describe select part from {source} {once}").fetchall()
            except duckdb.Error as error:
                remedy = "write an expression that has one value for each sample"
                raise ManifestError(f"balance.{where}: {catalog.first_line(error)}", remedy) from None

    def rows(self, db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
        plain = not self.params.dimensions and self.params.concepts is None
        try:
            db.execute(f"create or replace temp table _kept as {self._kept(db)}")
            return db.sql(self._once() if plain else self._balanced(db)).to_arrow_reader(1 << 16)
        except duckdb.Error as error:  # a cast, on the values at hand
            message = f"balance{self._culprit(db)}: {catalog.first_line(error)}"
            raise ManifestError(message, "make every expression hold, for instance with try_cast") from None

    def _culprit(self, db: duckdb.DuckDBPyConnection) -> str:
        """The key of the expression that fails on the values at hand, after a point; empty where none does alone."""
        for where, expression in self._expressions().items():
            try:
                db.execute(f"select count(value) from (select ({expression}\n) as value from measured)").fetchall()
            except duckdb.Error:
                return f".{where}"
        return ""

    def _expressions(self) -> Mapping[str, str]:
        """Every expression of the manifest, by the key where it stands."""
        found = {"category": self.params.category, "by": self.params.by}
        found |= {f"also.{i}.by": d.by for i, d in enumerate(self.params.also)}
        found |= {f"prefer.{i}": catalog.ordered(p)[0] for i, p in enumerate(self.params.prefer)}
        return found | ({"concepts.of": self.params.concepts.of} if self.params.concepts else {})

    def _kept(self, db: duckdb.DuckDBPyConnection) -> str:
        """Kept samples with their classes `c0`, `c1` …, what is preferred as `p0` …, and their concepts."""
        known = catalog.columns(db, "measured")
        wanted = {"category", "language"}
        for expression in self._expressions().values():
            wanted.update(catalog.referenced_columns(db, expression, known))
        columns = [f"coalesce(({d.by}\n)::varchar, '{UNKNOWN}') as c{i}" for i, d in enumerate(self.params.dimensions)]
        columns += [f"({catalog.ordered(p)[0]}\n) as p{i}" for i, p in enumerate(self.params.prefer)]
        columns += [f"({self.params.concepts.of}\n) as concepts"] if self.params.concepts else []
        return f"""
            with joined as (
                select m.* replace (({self.params.category}\n)::varchar as category), d.phase
                from decisions d join {catalog.measured(db, wanted)} m using (part, row) where d.kept
            )
            select {", ".join(["sample_id, phase, part, row, category, language", *columns])} from joined
        """

    def _once(self) -> str:
        return """select sample_id, phase, category, language, 1::int as repeats, part, row
            from _kept order by part, row, phase"""

    def _balanced(self, db: duckdb.DuckDBPyConnection) -> str:
        classes = [f"c{i}" for i in range(len(self.params.dimensions))]
        cell = ", ".join(["phase", *classes])
        source, total = "_kept", "count(*)"
        if self.params.concepts:
            db.execute(f"create or replace temp table _weights as {self.params.concepts.weights('_kept')}")
            source, total = "(_kept join _weights using (phase, part, row))", "sum(weight)"
        counted = f"select {cell}, count(*) as n, {total}::double as total from {source} group by {cell}"
        need = db.sql(counted).to_arrow_table()
        self._refuse_untargeted(need)
        db.register("_need", self._need(need, classes))
        shared = self._by_weight(source, cell) if self.params.concepts else self._evenly(cell)
        preferred = [f"p{i} {catalog.ordered(p)[1]}" for i, p in enumerate(self.params.prefer)]
        return f"""
            with shared as ({shared}), ranked as (
                select *, row_number() over (
                    partition by cell order by {", ".join([*preferred, "chance", "part", "row"])}
                ) as rank from shared
            )
            select sample_id, phase, category, language, (whole + (rank <= spare)::int)::int as repeats, part, row
            from ranked order by part, row, phase
        """

    def _evenly(self, cell: str) -> str:
        """The uses that every sample of a cell gets, how many of them get one more, and who is first to."""
        return f"""select *, uses // n as whole, uses % n as spare, {self._hash(16)}::ubigint as chance
            from _kept join _need using ({cell})"""

    def _hash(self, digits: int) -> str:
        """SQL for the first hexadecimal digits of a sample's seeded hash, to be cast to a number."""
        return f"('0x' || left(md5('{self.seed}:balance:' || sample_id), {digits}))"

    def _by_weight(self, source: str, cell: str) -> str:
        """The same by weight: the fraction that rounding leaves of each share is its chance to get one more, drawn
        without replacement (Efraimidis and Spirakis 2006)."""
        drawn = f"{self._hash(13)}::bigint / {1 << 52}"
        fraction = "nullif(share - floor(share), 0)"
        return f"""
            with weighed as (
                select *, least({self.params.max_repeats}, uses * weight / total) as share
                from {source} join _need using ({cell})
            )
            select *, floor(share) as whole, -ln(1 - {drawn}) / {fraction} as chance,
                round(sum(share - floor(share)) over (partition by cell)) as spare
            from weighed"""

    def _need(self, counted: pa.Table, classes: list[str]) -> pa.Table:
        """How many `uses` each cell gets, beside its phase, its classes, `n`, and the `total` of its weights. The
        number `cell` stands for it in what follows: a window parts rows by a number much faster than by texts."""
        phases, counts = counted["phase"].to_numpy(), counted["n"].to_numpy()
        cells = list(zip(*(counted[c].to_pylist() for c in classes), strict=True)) or [()] * len(counts)
        quotas = [d.quota for d in self.params.dimensions]
        wanted = np.zeros(len(counts))
        for phase in np.unique(phases):
            rows = np.flatnonzero(phases == phase)
            there = counted["n" if quotas else "total"].to_numpy()[rows].sum()
            size = self.params.size or float(there)
            wanted[rows] = uses([cells[i] for i in rows], counts[rows], quotas, size, self.params.max_repeats)
        groups = [(phase, cell[:1]) for phase, cell in zip(phases.tolist(), cells, strict=True)]
        counted = counted.append_column("cell", pa.array(np.arange(len(counts), dtype=np.int32)))
        return counted.append_column("uses", pa.array(whole(wanted, groups, counts * self.params.max_repeats)))

    def _refuse_untargeted(self, counted: pa.Table) -> None:
        """Raise ManifestError for a class that stands in no target."""
        keys = ["balance", *(f"balance.also.{i}" for i in range(len(self.params.also)))]
        keys = keys if self.params.asks else keys[1:]
        for i, dimension in enumerate(self.params.dimensions):
            there = counted.group_by(f"c{i}").aggregate([("n", "sum")]).sort_by(f"c{i}").to_pylist()
            by = " ".join(dimension.by.split())
            for name, count in ((row[f"c{i}"], row["n_sum"]) for row in there):
                if dimension.target and name not in dimension.target:
                    raise ManifestError(
                        f"{keys[i]}.target: {count} kept samples are of {by} {name!r}, which has no target"
                        f"{suggest(name, list(dimension.target))}",
                        f"add `{name}: <share>` (0 leaves it out), or give the source another {by}",
                    )
