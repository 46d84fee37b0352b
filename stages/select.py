"""Select: each filter is a named SQL predicate over what was measured; every sample gets one decision a phase.

Filters are cumulative: one with `phase: 640` applies in phase 640 and in every later one. Nothing is deleted: a
dropped sample says which filter dropped it, at what values, against what predicate, and which others failed too.
The cost is one pass of DuckDB over metadata.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Literal

import duckdb
import pyarrow as pa
from pydantic import Field, ValidationInfo, field_validator, model_validator

from dataengine import schema
from dataengine.catalog import columns, first_line, measured, referenced_columns
from dataengine.config import Config, suggest
from dataengine.errors import ManifestError
from stages.rescue import Rescue
from stages.thresholds import Threshold, Top

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE]-?\d+)?(?![\w.])")
_QUOTED = re.compile(r"""('(?:[^']|'')*'|"[^"]*")""")


class Filter(Config):
    """A sample stays when `keep` is true, or when it is among the `top` of its class. `when_missing` decides where that
    is null, as for a signal not measured. `stage` says which of the recipe's stages the filter belongs to."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    stage: str = ""
    phase: int | None = None  # from which phase on; from the first when left out
    top: Top | None = None
    keep: str = Field("", validate_default=True)
    when_missing: Literal["keep", "drop"] = "drop"
    note: str = ""

    @field_validator("keep")
    @classmethod
    def _one_of_both(cls, keep: str, given: ValidationInfo) -> str:
        if "top" in given.data and bool(keep) == (given.data["top"] is not None):  # else it is at fault itself
            raise ValueError("give either `keep`, a predicate, or `top`")
        return keep

    @property
    def predicate(self) -> str:
        """What is checked before there are samples."""
        return self.top.placeholder() if self.top else self.keep


class Params(Config):
    """`phases` are the sides, in pixels of a square, that training goes through, in order."""

    phases: list[int] = Field([256], min_length=1)
    filters: list[Filter] = []
    rescue: list[Rescue] = []

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        if self.phases != sorted(set(self.phases)):
            raise ValueError(f"phases must rise: {self.phases}")
        names = [f.name for f in self.filters]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"two filters are named {', '.join(twice)}")
        both = [*dict.fromkeys(names), *(r.name for r in self.rescue)]
        if twice := sorted({n for n in both if both.count(n) > 1}):
            raise ValueError(f"rescue: two are named {', '.join(twice)}, or one is named as a filter is")
        for f in self.filters:
            if f.phase is not None and f.phase not in self.phases:
                raise ValueError(f"filters.{f.name}.phase: {f.phase} is not one of the phases {self.phases}")
        for r in self.rescue:
            if r.phase is not None and r.phase not in self.phases:
                raise ValueError(f"rescue.{r.name}.phase: {r.phase} is not one of the phases {self.phases}")
            if unknown := [name for name in r.overrule if name not in names]:
                raise ValueError(
                    f"rescue.{r.name}.overrule: no filter is named {unknown[0]!r}{suggest(unknown[0], names)}"
                )
        return self


def _verdict(f: Filter) -> str:
    """Whether a filter keeps a sample, as SQL that is never null."""
    return f"coalesce(({f.keep}\n), {str(f.when_missing == 'keep').lower()})"


def _all(filters: Sequence[Filter]) -> str:
    """Whether all filters keep a sample, as SQL that is never null."""
    return " and ".join(_verdict(f) for f in filters) or "true"


def _moved(f: Filter, value: str) -> Filter:
    """The filter with another number, the share of a `top`, or with another predicate."""
    number = _NUMBER.fullmatch(value)
    if f.top and number:
        try:
            return f.model_copy(update={"top": Top(**{**f.top.model_dump(), "share": float(value)})})
        except ValueError:
            raise ManifestError(f"{f.name}: {value} is no share", "give one above 0 and up to 1") from None
    return f.model_copy(update={"keep": _replaced(f, value) if number else value, "top": None})


def _replaced(f: Filter, value: str) -> str:
    pieces = _QUOTED.split(f.keep)  # what is quoted stands at the odd places
    numbers = sum(len(_NUMBER.findall(piece)) for piece in pieces[::2])
    if numbers != 1:
        message = f"{f.name}: {f.keep!r} has {numbers or 'no'} numbers, so {value} has no place in it"
        raise ManifestError(message, f"give the whole predicate, as '{f.name}=width >= {value}'")
    pieces[::2] = (_NUMBER.sub(value, piece) for piece in pieces[::2])
    return "".join(pieces)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _shown(column: str, kind: str) -> str:
    """SQL for `column = value` as a person reads it: floats to four digits, long values cut."""
    name = f'"{column}"'
    value = f"printf('%.4g', {name})" if kind in ("FLOAT", "DOUBLE") else f"left({name}::varchar, 80)"
    return f"{_text(column + ' = ')} || coalesce({value}, 'missing')"


def _values(named: Sequence[str], known: Mapping[str, str]) -> str:
    """SQL for what some columns are, one after the other; empty for none."""
    return " || ', ' || ".join(_shown(column, known[column]) for column in named)


def _flat(predicate: str) -> str:
    """A predicate on one line."""
    return " ".join(predicate.split())


class Select:
    """The engine's `select`: writes `decisions`."""

    Params = Params
    version = 2
    columns = schema.DECISIONS

    def __init__(self, seed: int, params: Params, thresholds: Mapping[str, Threshold] | None = None) -> None:
        """`thresholds`: what every `top` has become, by filter; see `resolved`."""
        self.params, self.thresholds = params, thresholds or {}

    def check(self, db: duckdb.DuckDBPyConnection) -> None:
        known = columns(db, "measured")
        # Of the same columns and without rows: describing the view opens every file that it reads.
        db.execute("create or replace temp table _columns as from measured limit 0")
        for where, predicate in self._predicates().items():
            try:
                referenced_columns(db, predicate, known)
                asked = f"describe select part, ({predicate}\n) as verdict from _columns measured"
                described = db.execute(asked).fetchall()
                # `qualify` allows what a verdict may use, and refuses an unnest, which would judge a sample twice.
                once = f"qualify ({predicate}\n) is null or row_number() over () > 0"
                db.execute(f"describe select part from _columns measured {once}").fetchall()
            except (duckdb.Error, ValueError) as error:
                message = first_line(error) if isinstance(error, duckdb.Error) else str(error)
                shown = f"{predicate!r}: " if where.endswith("keep") else ""
                raise ManifestError(f"{where}: {shown}{message}", f"columns: {', '.join(sorted(known))}") from None
            kinds = [row[1] for row in described[1:]]
            if kinds != ["BOOLEAN"]:
                message = f"{where}: {predicate!r} is a {', '.join(kinds)}, not true or false"
                raise ManifestError(message, "write a comparison such as x >= 4")

    def _predicates(self) -> Mapping[str, str]:
        """All that stands in the manifest, by its key."""
        filters = {f"select.filters.{f.name}.{'top' if f.top else 'keep'}": f.predicate for f in self.params.filters}
        return filters | {
            f"select.rescue.{r.name}.{key}": sql for r in self.params.rescue for key, sql in r.checked().items()
        }

    def resolved(self, db: duckdb.DuckDBPyConnection) -> "Select":
        """The same with a number in place of every `top`, found among what all other filters of its phase keep."""
        plain = [f for f in self.params.filters if not f.top]
        filters, thresholds = [], {}
        for f in self.params.filters:
            if f.top:
                kept = _all([p for p in plain if self._since(p) <= self._since(f)])
                try:
                    # A predicate may look at other samples, as a rank does, and cannot stand after `where`.
                    source = self._source(db, [kept, f.predicate])
                    db.execute(f"create or replace temp view _judged as select *, ({kept}) as _kept from {source}")
                    threshold = thresholds[f.name] = f.top.resolved(db, "_judged", "_kept")
                except duckdb.Error as error:
                    raise self._culprit(db, error) from None
                filters.append(f.model_copy(update={"keep": threshold.keep, "top": None}))
            else:
                filters.append(f)
        rescue = [r.resolved(db) for r in self.params.rescue]
        return Select(0, self.params.model_copy(update={"filters": filters, "rescue": rescue}), thresholds)

    def _shown(self, f: Filter) -> str:
        """SQL for the predicate of a filter as a person reads it."""
        return self.thresholds[f.name].shown if f.name in self.thresholds else _text(_flat(f.keep))

    def rows(self, db: duckdb.DuckDBPyConnection) -> pa.RecordBatchReader:
        judge = self.resolved(db)
        self.thresholds = judge.thresholds
        try:  # sorted, so all predicates are evaluated here
            return db.sql(judge.sql(db)).to_arrow_reader(1 << 16)
        except duckdb.Error as error:
            raise self._culprit(db, error) from None

    def notes(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """The numbers of every `top`, by filter and class."""
        return {"thresholds": {name: found.numbers for name, found in self.thresholds.items()}}

    def _culprit(self, db: duckdb.DuckDBPyConnection, error: duckdb.Error) -> Exception:
        """The ManifestError of the filter that fails on the values at hand, as a cast may; else the error itself."""
        for where, predicate in self._predicates().items():
            try:
                db.execute(
                    f"select bool_and(verdict) from (select ({predicate}\n) as verdict from measured)"
                ).fetchall()
            except duckdb.Error as raised:
                remedy = "make it hold for every sample, for instance with try_cast"
                return ManifestError(f"{where}: {predicate!r}: {first_line(raised)}", remedy)
        return error

    def moved(self, changes: Mapping[str, str]) -> "Select":
        """The same with other filters: by name, a number that takes the place of the only one of the predicate, or a
        whole predicate. Raises ManifestError for a name that no filter has, and where it is unclear which number."""
        known = {f.name: f for f in self.params.filters}
        for name, value in changes.items():
            if name not in known:
                raise ManifestError(
                    f"no filter is named {name!r}{suggest(name, list(known))}", f"filters: {', '.join(known)}"
                )
            known[name] = _moved(known[name], value)
        return Select(0, self.params.model_copy(update={"filters": list(known.values())}))

    def counts(self, db: duckdb.DuckDBPyConnection, by: Sequence[str], others: Sequence["Select"] = ()) -> pa.Table:
        """How many samples there are by some columns, and how many each phase keeps: `kept_<phase>_0` with these
        filters, `kept_<phase>_1` and so on with those of others, all in one pass."""
        judges = list(enumerate(judge.resolved(db) for judge in (self, *others)))
        columns = {f"kept_{p}_{n}": judge._kept(p) for p in self.params.phases for n, judge in judges}
        group = ", ".join(f'"{column}"' for column in by)
        source = self._source(db, columns.values(), by)
        # Verdicts first: a predicate may look at other samples, as a rank does, and cannot stand within a sum.
        judged = ", ".join(f"({verdict}) as _{name}" for name, verdict in columns.items())
        sums = ", ".join(f"count_if(_{name}) as {name}" for name in columns)
        try:
            return db.sql(
                f"""with judged as (select {group}, {judged} from {source})
                    select {group}, count(*) as samples, {sums} from judged group by {group}"""
            ).to_arrow_table()
        except duckdb.Error as error:
            culprits = (judge._culprit(db, error) for _, judge in judges)
            raise next((found for found in culprits if found is not error), error) from None

    def _source(self, db: duckdb.DuckDBPyConnection, expressions: Iterable[str], others: Collection[str] = ()) -> str:
        """What expressions are asked of: `measured` with the columns that they look at, and others."""
        known = columns(db, "measured")
        named = (referenced_columns(db, expression, known) for expression in expressions)
        return f"{measured(db, {*others, *chain.from_iterable(named)})} measured"

    def _since(self, f: Filter | Rescue) -> int:
        """The first phase that a filter applies in."""
        return f.phase or self.params.phases[0]

    def _kept(self, phase: int) -> str:
        """Whether a phase keeps a sample, as SQL."""
        asked = [f for f in self.params.filters if self._since(f) <= phase]
        return " or ".join([f"({_all(asked)})", *(f"({taken})" for taken in self._rescues(phase).values())])

    def _rescues(self, phase: int) -> Mapping[str, str]:
        """Whether each rescue takes a sample in a phase, as SQL."""
        asked = [f for f in self.params.filters if self._since(f) <= phase]
        return {
            r.name: r.taken(
                _all([f for f in asked if f.name not in r.overrule]), _all([f for f in asked if f.name in r.overrule])
            )
            for r in self.params.rescue
            if self._since(r) <= phase
        }

    def explain(self, db: duckdb.DuckDBPyConnection, sample_id: str) -> pa.Table:
        """What every filter says of a sample: part, row, filter, since (its first phase), values, keep (its predicate),
        verdict (keep, drop, or either for what is missing), note. Samples with the same id have their rows each."""
        known = columns(db, "measured")
        rows = []
        judge = self.resolved(db)
        for f in judge.params.filters:
            values = _values(referenced_columns(db, f.keep, known), known) or "''"
            rows.append(
                f"""{{'filter': {_text(f.name)}, 'since': {self._since(f)}, 'values': {values},
                    'keep': {judge._shown(f)},
                    'verdict': case when ({f.keep}\n) is null then 'missing: {f.when_missing}'
                        when ({f.keep}\n) then 'keep' else 'drop' end,
                    'note': {_text(f.note)}}}"""
            )
        for phase in self.params.phases:
            for name, taken in judge._rescues(phase).items():
                rescue = next(r for r in self.params.rescue if r.name == name)
                rows.append(
                    f"""{{'filter': {_text(name)}, 'since': {phase}, 'values': '', 'keep': {_text(_flat(rescue.where))},
                        'verdict': case when {taken} then 'rescue' else '' end, 'note': {_text(rescue.note)}}}"""
                )
        kind = 'struct(filter varchar, since int, "values" varchar, keep varchar, verdict varchar, note varchar)[]'
        source = self._source(db, rows)
        asked = f"""with judged as (select sample_id, part, row, [{", ".join(rows)}]::{kind} as _said from {source})
                select part, row, unnest(_said, recursive := true) from judged where sample_id = ?
                order by part, row"""
        try:
            return db.sql(asked, params=[sample_id]).to_arrow_table()
        except duckdb.Error as error:
            raise self._culprit(db, error) from None

    def sql(self, db: duckdb.DuckDBPyConnection) -> str:
        """The one query that decides: verdicts once per sample, then one row a sample and phase.

        Its own names begin with an underscore, beside the columns of signals, which may have any name."""
        known = columns(db, "measured")
        verdicts, faults, drops, reasons, used = {}, [], [], [], set()
        for i, f in enumerate(self.params.filters):
            verdicts[f"_drops_{i}"] = f"not {_verdict(f)}"
            fails = f"_drops_{i} and _phase >= {self._since(f)}"
            faults.append(f"case when {fails} then {_text(f.name)} end")
            drops.append(f"when {fails} then {_text(f.name)}")
            named = referenced_columns(db, f.keep, known)
            used.update(named)
            shown = f"{_values(named, known)} || '; ' || " if named else ""
            reasons.append(f"when {_text(f.name)} then {shown}'keep: ' || {self._shown(f)}")
        first = f"case {' '.join(drops)} end" if drops else "null::varchar"
        failed = f"list_filter([{', '.join(faults)}]::varchar[], lambda _fault: _fault is not null)"
        reason = f"case _first {' '.join(reasons)} end" if reasons else "null"
        # A rescue looks at all samples of a phase, as a rank does, so it stands beside the verdicts.
        by_phase = "null::varchar"
        if found := {phase: taken for phase in self.params.phases if (taken := self._rescues(phase))}:
            for phase, taken in found.items():
                whens = " ".join(f"when {sql} then {_text(name)}" for name, sql in taken.items())
                verdicts[f"_rescuer_{phase}"] = f"case {whens} end"
            by_phase = f"case _phase {' '.join(f'when {phase} then _rescuer_{phase}' for phase in found)} end"
        judged = [f'"{c}"' for c in sorted(used - {"sample_id", "part", "row"})]
        judged += [f"{sql} as {name}" for name, sql in verdicts.items()]
        source = self._source(db, verdicts.values(), used)
        # Sorted while rows are few and short; what follows keeps their order.
        return f"""
            with judged as (select {", ".join(["sample_id, part, row", *judged])} from {source} order by part, row),
            by_phase as (select *, unnest({self.params.phases})::int as _phase from judged),
            failing as (
                select *, {first} as _first, {by_phase} as _rescuer,
                    case when _first is null then [] else {failed} end as _failed
                from by_phase
            )
            select sample_id, _phase as phase, _first is null or _rescuer is not null as kept,
                case when _rescuer is null then _first end as dropped_by,
                case when _rescuer is null then {reason}
                    else 'rescued by ' || _rescuer || ' from ' || array_to_string(_failed, ', ') end as reason,
                _failed as failed, part, row
            from failing
        """
