"""Thresholds that follow from the samples: the best so many per cent of a class become a number a class.

The number is found among the samples that every filter with a predicate of its own keeps, in the phase from which the
threshold applies. What decides is the number: every sample that it drops says which, and run.json has those of all
classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
from pydantic import Field

from dataengine.config import Config

UNKNOWN = "unknown"
"""The name of the class of samples that have none."""


@dataclass(frozen=True)
class Threshold:
    """What a `Top` has become: a value, SQL, must be at least a bound, SQL too. `numbers`: the bounds of the classes;
    that of all is under an empty name."""

    value: str
    bound: str
    numbers: Mapping[str, float]

    @property
    def keep(self) -> str:
        return f"({self.value}\n) >= {self.bound}"

    @property
    def shown(self) -> str:
        """SQL for the predicate as a person reads it, with the number of the sample's class."""
        return f"{_text(' '.join(self.value.split()) + ' >= ')} || coalesce(({self.bound})::varchar, 'nothing')"


class Top(Config):
    """The best `share` of each class by a value: SQL over the columns of what was measured. Higher values are better;
    write `by: -x` where lower ones are. Equal values are kept together."""

    share: float = Field(gt=0, le=1)
    by: str
    within: str | None = None

    def placeholder(self) -> str:
        """A predicate over the same columns, to be checked before there are samples."""
        return f"({self.by}\n) >= case {self._class()} when '' then 0 end"

    def _class(self) -> str:
        return f"coalesce(({self.within}\n)::varchar, '{UNKNOWN}')" if self.within else "''"

    def resolved(self, db: duckdb.DuckDBPyConnection, view: str, among: str) -> Threshold:
        """The same as numbers, found in those rows of a view in which the column `among` is true.

        At least one sample of a class that has any is kept. Raises duckdb.Error for a value that is no number."""
        rows = db.execute(
            f"""with valued as (
                    select {self._class()} as class, ({self.by}\n) as value from {view} where {among}
                ), ranked as (
                    select class, value, row_number() over (partition by class order by value desc) as rank,
                        count(*) over (partition by class) as total
                    from valued where value is not null
                )
                select class, value, typeof(value) from ranked
                where rank = greatest(1, round({self.share} * total)) order by class"""
        ).fetchall()
        bound = "null"
        if rows and self.within is None:
            bound = _number(*rows[0][1:])
        elif rows:
            cases = " ".join(f"when {_text(name)} then {_number(value, kind)}" for name, value, kind in rows)
            bound = f"case {self._class()} {cases} end"
        return Threshold(self.by, bound, {name: float(value) for name, value, _ in rows})


def _number(value: float, kind: str) -> str:
    """A literal that is the value exactly, as short as its type allows."""
    return f"{np.float32(value)}::float" if kind == "FLOAT" else f"{value!r}::{kind.lower()}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
