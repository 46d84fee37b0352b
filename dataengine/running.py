"""What the commands `run` and `synth` do: open the run's folder, plan, and carry the plan out."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dataengine import manifest
from dataengine.errors import ManifestError
from dataengine.pipeline import Pipeline
from dataengine.plan import Plan
from dataengine.progress import Reporter
from dataengine.run import Run


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
    _carry_out(asked, folder, until, address, workers, console)


def synthesize(
    path: Path,
    out: str,
    count: int | None,
    overrides: Sequence[str],
    address: str | None,
    workers: int | None,
    console: Console,
) -> None:
    """Only what a manifest synthesizes: its text sets, packed."""
    folder = Run(out)
    asked = manifest.load(path, overrides, run=folder.location)
    if not asked.synthesize:
        raise ManifestError(
            f"{path}: it has no `synthesize` section", "give a text set, such as manifests/synth/quick.yaml"
        )
    counted = {} if count is None else {"count": count}
    entries = [e.model_copy(update={"params": {**e.params, **counted}}) for e in asked.synthesize]
    pack = asked.pack or {"stage": "pack"}
    only = manifest.Manifest(name=asked.name, seed=asked.seed, parts=asked.parts, synthesize=entries, pack=pack)
    _carry_out(only, folder, None, address, workers, console)


def _carry_out(
    asked: manifest.Manifest, folder: Run, until: str | None, address: str | None, workers: int | None, console: Console
) -> None:
    plan = Plan(asked, folder)
    folder.create()
    with folder.lock():
        reporter = Reporter(folder, console)
        Pipeline(plan, reporter, address, workers)(until)
    console.print(f"[bold]done[/]: {folder.url}", highlight=False)


def show_plan(plan: Plan, console: Console) -> None:
    """Print what stands and what would be computed."""
    table = Table("stage", "parts", "stand", "to do", "why", box=None, pad_edge=False, header_style="bold")
    for row in plan.standing():
        left = row.units - row.standing
        table.add_row(row.label, str(row.units), str(row.standing), str(left) if left else "–", row.why)
    if plan.manifest.train:
        table.add_row("train", "", "", "", f"{plan.manifest.train} resumes from its last checkpoint")
    console.print(table)
