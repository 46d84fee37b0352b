"""The plan of a run: its manifest resolved into stages, what each has to make, and what of it stands already.

Fingerprints chain: a part's is made of its stage's recipe and of the fingerprint of what it is made from. So the plan
knows, before anything is computed, which parts stand and why the others do not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from dataengine import catalog, schema
from dataengine.config import Config, what
from dataengine.errors import ManifestError
from dataengine.manifest import Entry, Manifest, stage_of
from dataengine.run import Mark, Run, fingerprint
from dataengine.stage import Query, Resources
from dataengine.work import UNAVAILABLE, Output, StageSpec, Task

DATASETS = {"dedup": "signals/duplicates", "select": "decisions", "balance": "weights", "pack": "plan"}
"""What each query derives."""


_KEYS = ("sample_id", *dict(schema.POSITION))


@dataclass(frozen=True)
class Stage:
    """A manifest's entry, resolved: its class, its checked parameters, and what one actor of it takes."""

    section: str
    entry: Entry
    kind: type
    params: Config
    resources: Resources
    recipe: str

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def label(self) -> str:
        return self.section if self.section in (*DATASETS, "encode") else f"{self.section}.{self.name}"

    @property
    def spec(self) -> StageSpec:
        params = self.params.model_dump(mode="json")
        return StageSpec(self.name, self.entry.stage, params, self.entry.optional, self.resources.batch)


def resolve(section: str, entry: Entry, *seed: int) -> Stage:
    """An entry's stage. `seed` is the run's, where what the stage makes depends on it."""
    kind, params = stage_of(entry, section)
    declared = getattr(kind, "resources", Resources())
    recipe = fingerprint(entry.stage, kind.version, what(params), *seed)
    return Stage(section, entry, kind, params, entry.resources.over(declared), recipe)


@dataclass(frozen=True)
class Standing:
    """How a stage stands before it is run: for `--dry-run`."""

    label: str
    units: int
    standing: int
    why: str


class Plan:
    """Resolves a manifest against a run's folder. Making one checks everything that can be checked beforehand."""

    def __init__(self, manifest: Manifest, run: Run) -> None:
        self.manifest, self.run = manifest, run
        self.seed = manifest.seed
        self.sources = [resolve("collect", e, self.seed) for e in manifest.collect]
        self.sources += [resolve("synthesize", e, self.seed) for e in manifest.synthesize]
        self.signals = [resolve("measure", e) for e in manifest.measure]
        sections = {"dedup": manifest.dedup, "select": manifest.select, "balance": manifest.balance}
        self.queries = {s: resolve(s, e, self.seed) for s, e in {**sections, "pack": manifest.pack}.items() if e}
        self.encoder = resolve("encode", manifest.encode) if manifest.encode else None
        self._owners = self._check_columns()
        self._levels = {stage.name: self._level(stage, ()) for stage in self.signals}
        self._check_queries()

    def _check_columns(self) -> dict[str, Stage]:
        """Which signal has each column."""
        owner = dict.fromkeys(schema.SAMPLES.names, "samples")
        owners = {}
        for stage in self.signals:
            for column in stage.kind.columns.names:
                if column in owner:
                    message = f"measure.{stage.name}: its column {column!r} is also one of {owner[column]}"
                    raise ManifestError(message, "leave one of the two out, or rename the column in your stage")
                owner[column] = stage.name
                owners[column] = stage
        return owners

    def needs(self, stage: Stage) -> dict[str, Stage]:
        """The columns of other signals that a signal looks at, and who has them."""
        asked = stage.kind.needs(stage.params) if hasattr(stage.kind, "needs") else ()
        if lacking := [column for column in asked if column not in self._owners]:
            message = f"measure.{stage.name} looks at {lacking[0]!r}, which nothing measures"
            raise ManifestError(message, "add the signal that has it to `measure`; docs/signals.md lists them")
        return {column: self._owners[column] for column in asked}

    def _level(self, stage: Stage, above: tuple[str, ...]) -> int:
        """0 for a signal that looks at no other, else one more than those that it looks at."""
        if stage.name in above:
            message = f"measure: {' → '.join((*above, stage.name))}: signals look at each other in a circle"
            raise ManifestError(message, "leave one of them out")
        others = self.needs(stage).values()
        return max((1 + self._level(other, (*above, stage.name)) for other in others), default=0)

    def _check_queries(self) -> None:
        declared = {s.name: s.kind.columns for s in self.signals}
        if "dedup" in self.queries:
            columns = self.queries["dedup"].kind.columns
            with_duplicates = {**declared, "duplicates": pa.schema([f for f in columns if f.name not in _KEYS])}
        else:
            with_duplicates = declared
        recipes = {column: stage.recipe for column, stage in self._owners.items()}
        for section in self.queries:
            db = catalog.connect_empty(declared if section == "dedup" else with_duplicates)
            db.register("recipes", pa.table({"name": list(recipes), "recipe": pa.array(recipes.values(), pa.string())}))
            self.query(section).check(db)

    def query(self, section: str) -> Query:
        stage = self.queries[section]
        return stage.kind(self.seed, stage.params)

    def labels(self) -> list[str]:
        """Every stage of this run, in order."""
        stages = [*self.sources, *self.signals, *self.queries.values(), *([self.encoder] if self.encoder else [])]
        return [s.label for s in stages] + (["train"] if self.manifest.train else [])

    def sample_tasks(self) -> dict[str, list[Task]]:
        """The tasks of each source, parts numbered through."""
        tasks: dict[str, list[Task]] = {}
        index = 0
        for stage in self.sources:
            source = stage.kind(stage.name, self.seed, stage.params)
            made = tasks[stage.name] = []
            for piece in source.plan(self.manifest.parts.limits()):
                mark = Mark(stage.name, stage.recipe, fingerprint(piece.payload), inputs=piece.inputs)
                output = Output(self.run.part("samples", index), mark)
                payload = {"piece": piece.payload, "inputs": piece.inputs}
                made.append(Task(index, payload, {stage.name: output}))
                index += 1
        return tasks

    def measure_task(self, stages: Sequence[Stage], index: int, upstream: str) -> Task:
        """The task that measures part `index`, whose fingerprint is `upstream`."""
        outputs = {s.name: Output(self._signal_part(s, index), self._mark(s, upstream)) for s in stages}
        known = {c: self._signal_part(other, index) for s in stages for c, other in self.needs(s).items()}
        return Task(index, {"samples": self.run.part("samples", index), "known": known}, outputs)

    def _signal_part(self, stage: Stage, index: int) -> str:
        return self.run.part(f"signals/{stage.name}", index)

    def _mark(self, stage: Stage, upstream: str) -> Mark:
        others = {other.name: other for other in self.needs(stage).values()}
        seen = [self._mark(other, upstream).fingerprint for other in others.values()]
        return Mark(stage.name, stage.recipe, fingerprint(upstream, seen) if seen else upstream)

    def signal_groups(self) -> list[list[Stage]]:
        """Signals whose actors take the same resources are measured together, so that an image is decoded once; those
        that look at others come after them."""
        groups: dict[tuple[int, Resources], list[Stage]] = {}
        for stage in sorted(self.signals, key=lambda s: self._levels[s.name]):
            groups.setdefault((self._levels[stage.name], replace(stage.resources, batch=0)), []).append(stage)
        return list(groups.values())

    def missing(self, task: Task) -> Task | None:
        """The task with only those outputs that do not stand; None when all do."""
        outputs = {n: o for n, o in task.outputs.items() if not self.run.stands(o.path, o.mark.fingerprint)}
        return replace(task, outputs=outputs) if outputs else None

    def standing(self) -> Iterator[Standing]:
        """What a run would find, stage by stage, and why it would recompute what it would."""
        tasks = self.sample_tasks()
        changed = False
        upstream: list[str] = []
        for stage in self.sources:
            marks = [o.mark for t in tasks[stage.name] for o in t.outputs.values()]
            missing = [o for t in tasks[stage.name] if self.missing(t) for o in t.outputs.values()]
            upstream += [m.fingerprint for m in marks]
            changed |= bool(missing)
            yield Standing(stage.label, len(marks), len(marks) - len(missing), self._why(missing))
        for stage in self.signals:
            outputs = [self.measure_task([stage], i, f).outputs[stage.name] for i, f in enumerate(upstream)]
            missing = [o for o in outputs if not self.run.stands(o.path, o.mark.fingerprint)]
            changed |= bool(missing)
            yield Standing(stage.label, len(outputs), len(outputs) - len(missing), self._why(missing))
        for section, stage in self.queries.items():
            path = self.run.path("plan", "plan.parquet") if section == "pack" else self.run.part(DATASETS[section], 0)
            mark = self.run.mark(path)
            stands = not changed and mark is not None and mark.recipe == stage.recipe
            why = "" if stands else "not made yet" if mark is None else "its parameters changed"
            why = "what it reads changes" if mark is not None and changed else why
            changed |= not stands
            yield Standing(stage.label, 1, int(stands), why)

    def _why(self, missing: Sequence[Output]) -> str:
        reasons: dict[str, int] = {}
        for output in missing:
            mark = self.run.mark(output.path)
            if mark is None:
                reason = "not made yet"
            elif mark.stage != output.mark.stage:
                reason = "belongs to another source now"
            elif mark.recipe == UNAVAILABLE:
                reason = "could not be measured before"
            elif mark.recipe != output.mark.recipe:
                reason = "its parameters or version changed"
            else:
                reason = "its input changed"
            reasons[reason] = reasons.get(reason, 0) + 1
        return ", ".join(f"{n} {r}" for r, n in reasons.items())


def without_position(columns: pa.Schema) -> pa.Schema:
    """The columns of a signal at rest, whose rows are told apart by where they stand."""
    return pa.schema([f for f in columns if f.name not in dict(schema.POSITION)])
