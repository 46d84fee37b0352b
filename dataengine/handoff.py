"""Handing shards to the trainer and showing what it does: the commands `train` and `sample`, and a run's last stage.

The trainer is imported only here, and only when it is wanted, so that the engine works without torch.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from dataengine import config
from dataengine.errors import ManifestError, RunError, StageError
from dataengine.progress import Reporter
from dataengine.run import Run, State, fingerprint

if TYPE_CHECKING:
    from dataengine.trainer.config import TrainConfig
    from dataengine.trainer.loop import TrainResult


def train(path: Path, overrides: Sequence[str], console: Console) -> None:
    """Train as a configuration says, from its last checkpoint if there is one."""
    settings = load(path, overrides)
    console.quiet = console.quiet or not _first_process()  # of several, one tells
    reporter = Reporter(Run(settings.out), console)
    _say(_train(settings, reporter), settings, reporter)


def load(path: str | Path, overrides: Sequence[str] = (), run: str | None = None) -> "TrainConfig":
    """A training configuration; `${RUN}` stands for the run's folder. Raises StageError where torch is missing."""
    try:
        from dataengine.trainer.config import TrainConfig
    except ImportError as error:
        raise _no_trainer(error) from None
    return config.load(TrainConfig, path, overrides, {} if run is None else {"RUN": run})


def train_run(run: Run, path: str, state: State, reporter: Reporter) -> None:
    """The last stage of a run. When the shards are not those of the training that stands, that one is put aside."""
    settings = load(path, run=run.location)
    shards = state.get("pack").get("fingerprint")
    mark = fingerprint(shards, settings.model_dump(mode="json", exclude={"out"}))
    before = state.get("train")
    out = Path(settings.out)
    if before.get("shards") not in (None, shards) and out.exists():
        aside = out.with_name(f"{out.name}-{str(before.get('shards'))[:8]}")
        if not aside.exists():
            out.rename(aside)
            reporter.say(f"  the shards have changed: the training on the earlier ones is now {aside}")
    state.set("train", state="running", fingerprint=mark, shards=shards)
    reporter.event("stage", stage="train")
    result = _train(settings, reporter)
    state.set(
        "train",
        state="done",
        steps=result.step,
        first_loss=round(result.first_loss, 5),
        last_loss=round(result.last_loss, 5),
        seconds=round((before.get("seconds", 0) if result.resumed_from else 0) + result.seconds, 3),
    )
    reporter.event("stage_done", stage="train", loss=result.last_loss, seconds=result.seconds)
    _say(result, settings, reporter)


def _train(settings: "TrainConfig", reporter: Reporter) -> "TrainResult":
    from dataengine.trainer.loop import train
    from dataengine.trainer.metrics import StepReport

    with reporter.bar("train", settings.steps, "steps") as bar:
        shown = 0

        def show(step: StepReport) -> None:
            nonlocal shown
            bar.advance(step.step - shown, f"loss {step.loss:.4f}")
            shown = step.step

        return train(settings, show)


def _first_process() -> bool:
    from dataengine.trainer.distributed import first_process

    return first_process()


def _say(result: "TrainResult", settings: "TrainConfig", reporter: Reporter) -> None:
    made = result.step - result.resumed_from
    skipped = f", {result.skipped_samples} samples skipped" if result.skipped_samples else ""
    steps = f"{made} steps made" + (f", {result.resumed_from} stood" if result.resumed_from else "")
    reporter.say(
        f"[bold]{'train':<22}[/] loss {result.first_loss:.4f} → {result.last_loss:.4f} "
        f"[dim]({steps}{skipped}, {result.seconds:.1f} s, {settings.out})[/]"
    )


def sample(
    checkpoint: Path,
    prompts: Sequence[str],
    out: Path,
    size: str | None,
    count: int,
    steps: int,
    guidance: float,
    seed: int,
    negative: str,
    solver: str,
    console: Console,
) -> None:
    """Draw pictures and say where they are. `size` is WIDTHxHEIGHT."""
    try:
        from dataengine.trainer.sample import sample as draw
    except ImportError as error:
        raise _no_trainer(error) from None
    if not checkpoint.exists():
        raise RunError(f"{checkpoint}: no checkpoint there", "give a training's folder, such as runs/quickstart/train")
    for path in draw(checkpoint, prompts, out, _size(size), count, steps, guidance, seed, negative, solver):
        console.print(str(path), highlight=False)


@dataclass(frozen=True)
class Drawing:
    """How pictures are drawn: steps, guidance, the first one's seed, and the solver."""

    steps: int
    guidance: float
    seed: int
    solver: str


def evaluate(
    checkpoint: Path,
    on: Path,
    out: Path,
    read: str,
    limit: int | None,
    size: str | None,
    drawing: Drawing,
    console: Console,
) -> None:
    """Judge a checkpoint and print a table of what it can write. `size` is WIDTHxHEIGHT."""
    try:
        from dataengine.trainer.evaluate import evaluate as judge
    except ImportError as error:
        raise _no_trainer(error) from None
    if not checkpoint.exists():
        raise RunError(f"{checkpoint}: no checkpoint there", "give a training's folder, such as runs/quickstart/train")
    found = judge(checkpoint, on, out, read, limit, _size(size), **asdict(drawing))
    for name, groups in (("drawn", found.groups), ("true renderings: the reader's ceiling", found.ceiling)):
        if not groups:
            continue
        table = Table(title=name, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for column in ("", "pictures", "exact", "words", "characters", "similarity"):
            table.add_column(column, justify="right" if column else "left")
        for group, a in groups.items():
            shares = (f"{share:.1%}" for share in (a.exact, a.words, a.characters, a.similarity))
            table.add_row(group, f"{a.pictures:,}", *shares)
        console.print(table)
        console.print()
    if found.held_out:
        console.print(f"held-out loss {found.held_out.loss:.5f} over {found.held_out.pictures} pictures")
    if found.fidelity:
        console.print(f"image tokenizer: PSNR {found.fidelity.psnr:.2f} dB, SSIM {found.fidelity.ssim:.4f}")
    console.print(f"{out}: evaluation.json, readings.jsonl, readings.png", highlight=False)


def _no_trainer(error: ImportError) -> StageError:
    return StageError(f"the trainer cannot be loaded: {error}", "pip install 'dataengine[train]'")


def _size(text: str | None) -> tuple[int, int] | None:
    """(height, width) of `WIDTHxHEIGHT`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise ManifestError(f"--size {text}: not WIDTHxHEIGHT", "for instance --size 96x64")
    return int(match[2]), int(match[1])
