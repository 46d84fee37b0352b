"""What the commands `run`, `synth` and `encode` do: open the run's folder, plan, and carry the plan out."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dataengine import encoding, manifest
from dataengine import verify as index_of
from dataengine.config import apply_overrides, build, expand_variables, read_yaml
from dataengine.errors import ManifestError
from dataengine.ledger import Ledger
from dataengine.manifest import Entry
from dataengine.pipeline import Pipeline
from dataengine.plan import Plan, resolve
from dataengine.progress import Reporter
from dataengine.run import Run, State


def run(
    path: Path,
    out: str | None,
    overrides: Sequence[str],
    until: str | None,
    address: str | None,
    workers: int | None,
    dry_run: bool,
    console: Console,
) -> None:
    """Do what a manifest asks, or with `dry_run` print the plan."""
    folder = Run(out or f"runs/{manifest.load(path, overrides).name}")
    asked = manifest.load(path, overrides, run=folder.location)
    if dry_run:
        show_plan(Plan(asked, folder), console)
        return
    _carry_out(Plan(asked, folder), until, address, workers, console)


def synthesize(
    path: Path,
    out: str | None,
    start: int | None,
    count: int | None,
    overrides: Sequence[str],
    address: str | None,
    workers: int | None,
    console: Console,
) -> None:
    """Only what a manifest synthesizes: its text sets or a range of each, packed, and the index of what was drawn."""
    if out is None:
        raise ManifestError("synth: it is not said where to", "give --out FOLDER, or --verify INDEX to compare only")
    if start is not None and count is None:
        raise ManifestError("synth: --start alone is no range", "give --count as well")
    folder = Run(out)
    asked = _text_sets(path, overrides, folder.location)
    given = {key: value for key, value in (("start", start), ("count", count)) if value is not None}
    entries = [e.model_copy(update={"params": {**e.params, **given}}) for e in asked.synthesize]
    pack = asked.pack or {"stage": "pack"}
    only = manifest.Manifest(name=asked.name, seed=asked.seed, parts=asked.parts, synthesize=entries, pack=pack)
    _carry_out(Plan(only, folder), None, address, workers, console, indexed=True)


def encode(
    location: str,
    path: Path | None,
    overrides: Sequence[str],
    address: str | None,
    workers: int | None,
    console: Console,
) -> None:
    """Encode a run's shards as the section `encode` of its manifest says, or the keys in a file; nothing else."""
    folder = Run(location).require()
    section = read_yaml(path) if path else folder.manifest().get("encode")
    if section is None:
        raise ManifestError(
            f"{location}: its manifest has no `encode` section", "give the section's keys with --config"
        )
    asked = {"stage": "encode", **apply_overrides(section, overrides)}
    entry = build(Entry, expand_variables(asked, {"RUN": folder.location}), "encode")
    told = folder.read_json("run.json")
    with folder.lock():
        ledger = Ledger(State(folder, told["name"], told["seed"]), Reporter(folder, console))
        encoding.encode(folder, resolve("encode", entry), ledger, address, workers)
    console.print(f"[bold]done[/]: {folder.path('latents')}", highlight=False)


def verify(
    path: Path,
    index: str,
    start: int | None,
    count: int | None,
    overrides: Sequence[str],
    address: str | None,
    workers: int | None,
    console: Console,
) -> None:
    """Draw a manifest's text sets again, or a range of each, and compare them with an index. Writes nothing."""
    asked = _text_sets(path, overrides, "")
    reporter = Reporter(Run(index), console)
    verdict = index_of.verify(asked.synthesize, asked.seed, index, start or 0, count, reporter, address, workers)
    index_of.show(verdict, index, console)


def _text_sets(path: Path, overrides: Sequence[str], run: str) -> manifest.Manifest:
    asked = manifest.load(path, overrides, run=run)
    if not asked.synthesize:
        raise ManifestError(
            f"{path}: it has no `synthesize` section", "give a text set, such as manifests/synth/quick.yaml"
        )
    return asked


def _carry_out(
    plan: Plan, until: str | None, address: str | None, workers: int | None, console: Console, indexed: bool = False
) -> None:
    plan.run.create()
    with plan.run.lock():
        reporter = Reporter(plan.run, console)
        Pipeline(plan, reporter, address, workers)(until)
        if indexed:
            index_of.write_index(plan, reporter, address, workers)
    console.print(f"[bold]done[/]: {plan.run.url}", highlight=False)


def show_plan(plan: Plan, console: Console) -> None:
    """Print what stands and what would be computed."""
    table = Table("stage", "parts", "stand", "to do", "why", box=None, pad_edge=False, header_style="bold")
    stages = list(plan.standing())
    if plan.encoder:
        stages.append(encoding.standing(plan.run, plan.encoder, any(row.standing < row.units for row in stages)))
    for row in stages:
        left = row.units - row.standing
        table.add_row(row.label, str(row.units), str(row.standing), str(left) if left else "–", row.why)
    if plan.manifest.train:
        table.add_row("train", "", "", "", f"{plan.manifest.train} resumes from its last checkpoint")
    console.print(table)
