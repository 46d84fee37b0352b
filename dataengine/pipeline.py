"""Carrying a plan out: one stage after the other, each doing only what does not stand, until the shards are written."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import duckdb
import yaml

from dataengine import catalog, encoding, packing
from dataengine.errors import DataEngineError, RunError, StageError
from dataengine.execute import run_tasks, start_ray, stop_ray
from dataengine.ledger import Ledger
from dataengine.packing import by_key
from dataengine.plan import DATASETS, Plan, Stage, without_position
from dataengine.progress import Reporter
from dataengine.run import Mark, State, fingerprint
from dataengine.work import Done, Measurer, Output, Producer, Task, Worker, failures_path

SECTIONS = ("collect", "measure", "dedup", "select", "balance", "pack", "encode", "train")
"""What a run does, in order; `collect` makes all samples, the synthesized ones too."""


class Pipeline:
    """Carries a plan out on Ray and in DuckDB, and keeps run.json."""

    def __init__(self, plan: Plan, reporter: Reporter, address: str | None = None, workers: int | None = None) -> None:
        self.plan, self.reporter = plan, reporter
        self.run, self.manifest = plan.run, plan.manifest
        self.address, self.workers = address, workers
        self.state = State(self.run, self.manifest.name, plan.seed)
        self.ledger = Ledger(self.state, reporter)
        self.samples: list[Done] = []  # in order of parts
        self.signals: dict[str, list[Done]] = {}

    def __call__(self, until: str | None = None) -> None:
        """Do everything up to and including the section `until`. Raises DataEngineError; what is done stays done."""
        self.state.keep_only(self.plan.labels())
        self.run.write_text("manifest.yaml", _yaml(self.plan))
        self.reporter.event("start", manifest=self.manifest.name, until=until, versions=self.state.data["versions"])
        last = SECTIONS.index(until) if until else len(SECTIONS)
        steps: list[tuple[str, Callable[[], None]]] = [
            ("collect", self._collect),
            ("measure", self._measure),
            *((s, partial(self._query, s)) for s in ("dedup", "select", "balance") if s in self.plan.queries),
            *([("pack", self._pack)] if "pack" in self.plan.queries else []),
            *([("encode", self._encode)] if self.plan.encoder else []),
            *([("train", self._train)] if self.manifest.train else []),
        ]
        try:
            if last >= SECTIONS.index("measure"):
                self._tell_missing()
            if last >= SECTIONS.index("encode") and self.plan.encoder:
                encoding.require(self.plan.encoder)
            for section, step in steps:
                if SECTIONS.index(section) <= last:
                    self._do(section, step)
        except DataEngineError as error:
            self.reporter.event("failed", error=type(error).__name__, message=str(error))
            raise
        self.reporter.event("end")

    def _tell_missing(self) -> None:
        """Say which signals cannot be measured here, before anything is computed. Raises StageError for one that is not
        optional. Nothing is asked of signals that have parts: a run measured elsewhere can still be selected from."""
        for stage in self.plan.signals:
            ask = getattr(stage.kind, "missing", None)
            absent = ask(stage.params) if ask and not self.run.files(f"signals/{stage.name}") else None
            if absent is None:
                continue
            if not stage.entry.optional:
                message = f"measure.{stage.name}: {absent.message}"
                raise StageError(message, f"{absent.remedy}; `optional: true` goes on without it")
            self.reporter.event("missing", stage=stage.label, message=absent.message, remedy=absent.remedy)
            self.reporter.say(f"[yellow]{stage.label:<22}[/] will be empty: {absent}")

    def _do(self, section: str, step: Callable[[], None]) -> None:
        """One step; an error of DuckDB's own that its stage did not foresee is a message too."""
        try:
            step()
        except duckdb.Error as error:
            message = f"{section}: {catalog.first_line(error)}"
            raise StageError(message, "mend the section, then run the same command: what is done stands") from None

    def _collect(self) -> None:
        tasks = self.plan.sample_tasks()
        for stage in self.plan.sources:
            build = partial(Producer, self.run, stage.spec, self.plan.seed)
            self.samples += self._work([stage], build, tasks[stage.name])[stage.name]
        self.run.remove_others("samples", [d.path for d in self.samples])
        self._sweep_failures({t.index: name for name, made in tasks.items() for t in made})
        if not sum(d.rows for d in self.samples):
            raise RunError(
                f"{self.run.url}: none of the {sum(t.payload['inputs'] for m in tasks.values() for t in m)} inputs "
                "became a sample",
                f'see why: dataengine sql {self.run.url} "select uri, message from failures"',
            )

    def _measure(self) -> None:
        for stages in self.plan.signal_groups():
            tasks = [self.plan.measure_task(stages, i, d.fingerprint) for i, d in enumerate(self.samples)]
            build = partial(Measurer, self.run, [s.spec for s in stages])
            self.signals |= self._work(stages, build, tasks)
            for stage in stages:
                self.run.remove_others(f"signals/{stage.name}", [d.path for d in self.signals[stage.name]])

    def _sweep_failures(self, sources: Mapping[int, str]) -> None:
        """Remove failures of parts that are no more or of another source now, and of stages that are no more.

        `sources` has the source of each part.
        """
        signals = [s.name for s in self.plan.signals]
        keep = [failures_path(self.run, name, i) for i, source in sources.items() for name in (source, *signals)]
        self.run.remove_others("failures", [*keep, *encoding.failures(self.run)])

    def _work(
        self, stages: Sequence[Stage], build: Callable[[], Worker], tasks: Sequence[Task]
    ) -> dict[str, list[Done]]:
        """Do those tasks whose parts do not stand; what became of every part, by stage, in order of parts."""
        left = [t for t in map(self.plan.missing, tasks) if t]
        labels = {s.name: s.label for s in stages}
        done: dict[str, dict[str, Done]] = {name: {} for name in labels}
        for task in tasks:
            for name, output in task.outputs.items():
                done[name][output.path] = self._stood(name, task.index, output)
        for stage in stages:
            marks = [o.mark.fingerprint for t in tasks for n, o in t.outputs.items() if n == stage.name]
            self.ledger.begin(stage.label, fingerprint(marks), len(tasks))
        if left:
            start_ray(self.address)
        started = time.monotonic()
        title = "+".join(s.label if i == 0 else s.name for i, s in enumerate(stages))
        busy = made = 0.0
        total = sum(self._units(t) for t in left)
        resources = replace(stages[0].resources, batch=0)
        with self.reporter.bar(title, total, "images") as bar:
            for report in run_tasks(build, left, resources, self.workers):
                for name, output in report.done.items():
                    done[name][output.path] = output
                busy += report.seconds
                made += report.units
                bar.advance(report.units)
                self.reporter.event("part", stage=title, part=report.index, seconds=round(report.seconds, 3))
        elapsed = time.monotonic() - started
        for stage in stages:
            outputs = list(done[stage.name].values())
            fresh = sum(stage.name in t.outputs for t in left)
            self.ledger.end(stage.label, outputs, fresh, elapsed, busy, made)
        return {name: list(by_path.values()) for name, by_path in done.items()}

    def _units(self, task: Task) -> int:
        """How many images a task covers."""
        return task.payload["inputs"] if "inputs" in task.payload else self.samples[task.index].rows

    def _stood(self, name: str, index: int, output: Output) -> Done:
        """The entry of a part that may stand already; replaced when it is made anew."""
        rows, failures = self.run.rows(output.path), self.run.rows(failures_path(self.run, name, index))
        return Done(output.path, output.mark.fingerprint, rows, failures, 0)

    def _query(self, section: str) -> None:
        """Derive a dataset whose parts are those of `samples`, unless it stands."""
        dataset = DATASETS[section]
        stage = self.plan.queries[section]
        mark = Mark(section, stage.recipe, self._upstream(section))
        paths = [self.run.part(dataset, i) for i in range(len(self.samples))]
        self.ledger.begin(section, mark.fingerprint, len(paths))
        started = time.monotonic()
        if all(self.run.stands(p, mark.fingerprint) for p in paths):
            outputs = [self._stood("", i, Output(p, mark)) for i, p in enumerate(paths)]
            self.ledger.end(section, outputs, 0, time.monotonic() - started, 0, 0)
            return
        db = self._connect(section)
        columns = stage.kind.columns
        at_rest = without_position(columns) if dataset.startswith("signals/") else columns
        query = self.plan.query(section)
        rows = by_key(query.rows(db), ("part",))
        upcoming = next(rows, None)
        outputs = []
        for index, path in enumerate(paths):
            with self.run.writer(path, at_rest) as writer:
                if upcoming and upcoming[0] == (index,):
                    writer.write(upcoming[1].select(at_rest.names).cast(at_rest))
                    upcoming = next(rows, None)
                writer.commit(mark)
            outputs.append(Done(path, mark.fingerprint, writer.rows, 0, writer.bytes))
        self.run.remove_others(dataset, paths)
        self.ledger.end(section, outputs, len(outputs), time.monotonic() - started, 0, 0)
        self.state.set(section, **(query.notes() if hasattr(query, "notes") else {}))
        db.close()

    def _upstream(self, section: str) -> str:
        """The fingerprint of everything that a query reads."""
        read = [d.fingerprint for d in self.samples]
        read += [d.fingerprint for made in self.signals.values() for d in made]
        before = list(DATASETS)[: list(DATASETS).index(section)]
        return fingerprint(read, [self.state.get(s).get("fingerprint") for s in before if s in self.plan.queries])

    def _connect(self, section: str) -> Any:
        names = [s.name for s in self.plan.signals]
        if section != "dedup" and "dedup" in self.plan.queries:
            names.append("duplicates")
        return catalog.connect(self.run, signals=names)

    def _pack(self) -> None:
        """Plan the shards, write those that do not stand, then their index."""
        stage = self.plan.queries["pack"]
        mark = Mark("pack", stage.recipe, self._upstream("pack"))
        plan = self.run.path("plan", "plan.parquet")
        if not self.run.stands(plan, mark.fingerprint):
            db = self._connect("pack")
            packing.write_plan(self.run, plan, self.plan.query("pack").rows(db), mark)
            db.close()
        tasks = packing.tasks(self.run, plan, [d.fingerprint for d in self.samples])
        left = [t for t in map(self.plan.missing, tasks) if t]
        shards = sum(len(t.outputs) for t in tasks)
        self.ledger.begin("pack", mark.fingerprint, shards)
        started, busy = time.monotonic(), 0.0
        done = {}
        if left:
            start_ray(self.address)
        total = sum(t.payload["rows"][name] for t in left for name in t.outputs)
        with self.reporter.bar("pack", total, "images") as bar:
            for report in run_tasks(partial(packing.Gatherer, self.run), left, stage.resources, self.workers):
                done |= {d.path: d for d in report.done.values()}
                busy += report.seconds
                bar.advance(report.units)
        outputs = packing.write_index(self.run, tasks, done)
        self.ledger.end(
            "pack", outputs, len(done), time.monotonic() - started, busy, sum(d.rows for d in done.values())
        )

    def _encode(self) -> None:
        """Encode the shards whose latents do not stand."""
        encoding.encode(self.run, self.plan.encoder, self.ledger, self.address, self.workers)

    def _train(self) -> None:
        """Hand the shards to the trainer. It keeps its own checkpoints and resumes from them."""
        from dataengine.handoff import train_run

        stop_ray(self.address)
        train_run(self.run, str(self.manifest.train), self.state, self.reporter)


def _yaml(plan: Plan) -> str:
    """The manifest as resolved: the files it names read in, overrides and variables applied; it runs by itself."""
    manifest = plan.manifest

    def entry(stage: Stage) -> dict[str, Any]:
        given = {"stage": stage.entry.stage, "name": stage.entry.name, "optional": stage.entry.optional}
        resources = stage.entry.resources.model_dump(exclude_none=True)
        params = stage.params.model_dump(mode="json", exclude_unset=True)
        return {**given, **({"resources": resources} if resources else {}), **params}

    data: dict[str, Any] = {"name": manifest.name, "seed": plan.seed, "parts": manifest.parts.model_dump()}
    for stage in (*plan.sources, *plan.signals):
        data.setdefault(stage.section, []).append(entry(stage))
    data |= {section: entry(stage) for section, stage in plan.queries.items()}
    if plan.encoder:
        data["encode"] = entry(plan.encoder)
    if manifest.train:
        data["train"] = manifest.train
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
