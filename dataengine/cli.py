"""The command line: one command a verb; each calls one function elsewhere."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dataengine.errors import DataEngineError, StageError

app = typer.Typer(
    name="dataengine",
    help="Data engine for text-rendering image models: raw images in, balanced shards and a trained MMDiT out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Manifest = Annotated[Path, typer.Argument(help="The manifest, a YAML file.", show_default=False)]
RunFolder = Annotated[str, typer.Argument(help="The run's folder or URL.", metavar="RUN", show_default=False)]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key; repeatable.")]
Address = Annotated[str | None, typer.Option(help="A Ray cluster to run on, as ray://host:10001.")]
Workers = Annotated[int | None, typer.Option(min=1, help="At most so many actors a stage.")]


class Until(StrEnum):
    """Where a run may stop."""

    collect = "collect"
    measure = "measure"
    dedup = "dedup"
    select = "select"
    balance = "balance"
    pack = "pack"
    encode = "encode"
    train = "train"


class Solver(StrEnum):
    """How the velocity is followed from noise to picture."""

    euler = "euler"
    heun = "heun"


class Read(StrEnum):
    """How drawn pictures are read."""

    page = "page"
    line = "line"


class Format(StrEnum):
    """How a query's result is printed."""

    table = "table"
    csv = "csv"
    json = "json"


def _console() -> Console:
    """Rich on a terminal; plain unwrapped lines in a log file."""
    return Console() if sys.stdout.isatty() else Console(width=200, soft_wrap=True)


@app.command()
def run(
    manifest: Manifest,
    out: Annotated[str | None, typer.Option(help="The run's folder or URL. [default: runs/NAME]")] = None,
    overrides: Overrides = None,
    until: Annotated[Until | None, typer.Option(help="Stop after this stage.")] = None,
    address: Address = None,
    workers: Workers = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be computed, and why; do nothing.")
    ] = False,
) -> None:
    """Do what a manifest asks, from collecting to training. Resumes by itself."""
    from dataengine import running

    running.run(manifest, out, overrides or [], until, address, workers, dry_run, _console())


@app.command()
def synth(
    manifest: Manifest,
    out: Annotated[str | None, typer.Option(help="The folder or URL to write the set to.")] = None,
    verify: Annotated[
        str | None,
        typer.Option(metavar="INDEX", help="Write nothing: compare with the index.parquet of a folder or URL."),
    ] = None,
    start: Annotated[int | None, typer.Option(min=0, help="The first index.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many images.")] = None,
    overrides: Overrides = None,
    address: Address = None,
    workers: Workers = None,
) -> None:
    """Draw a text set, or any range of it, and pack it; same manifest and versions, same pixels."""
    from dataengine import running

    if verify is not None:
        running.verify(manifest, verify, start, count, overrides or [], address, workers, _console())
    else:
        running.synthesize(manifest, out, start, count, overrides or [], address, workers, _console())


@app.command()
def sql(
    run: RunFolder,
    query: Annotated[str, typer.Argument(help="SQL over samples, signals, decisions, weights, shards, failures.")],
    format: Annotated[Format, typer.Option(help="How to print it.")] = Format.table,
) -> None:
    """Query a run in DuckDB."""
    from dataengine import catalog, tables
    from dataengine.run import Run

    tables.write(catalog.query(Run(run).require(), query), format, _console())


@app.command()
def stats(run: RunFolder) -> None:
    """Show a run's funnel, shares, shards and rates."""
    from dataengine import stats as figures
    from dataengine.run import Run

    figures.show(Run(run).require(), _console())


@app.command()
def why(
    run: RunFolder,
    sample_id: Annotated[str, typer.Argument(help="The sample's id, as `sql` shows it.", metavar="SAMPLE_ID")],
) -> None:
    """Show why a sample was kept or dropped: every filter's values, threshold and verdict."""
    from dataengine import whatif as questions
    from dataengine.run import Run

    questions.why(Run(run).require(), sample_id, _console())


@app.command()
def whatif(
    run: RunFolder,
    changes: Annotated[list[str], typer.Argument(help="FILTER=NUMBER or 'FILTER=predicate'.", metavar="CHANGE...")],
) -> None:
    """Count what would be kept if filters were different. Writes nothing."""
    from dataengine import whatif as questions
    from dataengine.run import Run

    questions.whatif(Run(run).require(), changes, _console())


@app.command()
def check(run: RunFolder) -> None:
    """Prove that a run's books balance: nothing lost, nothing twice, every digest right."""
    from dataengine import books
    from dataengine.run import Run

    books.show(Run(run).require(), _console())


@app.command()
def report(run: RunFolder) -> None:
    """Write RUN/report.html: the funnel, the pictures behind each decision, and the training curve."""
    from dataengine import report as html
    from dataengine.run import Run

    _console().print(html.write(Run(run).require()))


@app.command()
def encode(
    run: RunFolder,
    config: Annotated[
        Path | None, typer.Option(help="A YAML file with the keys of `encode`. [default: the run's manifest]")
    ] = None,
    overrides: Overrides = None,
    address: Address = None,
    workers: Workers = None,
) -> None:
    """Encode a run's shards into latents and text states, which training then reads. Resumes by itself."""
    from dataengine import running

    running.encode(run, config, overrides or [], address, workers, _console())


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A training configuration, a YAML file.", show_default=False)],
    overrides: Overrides = None,
) -> None:
    """Train the MMDiT on shards. Resumes from its last checkpoint."""
    from dataengine import handoff

    handoff.train(config, overrides or [], _console())


@app.command()
def sample(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint, or a training folder for its latest.")],
    prompts: Annotated[list[str], typer.Argument(help="One or more prompts.", metavar="PROMPT...")],
    out: Annotated[Path, typer.Option(help="Where the pictures go.")] = Path("samples"),
    size: Annotated[
        str | None, typer.Option(help="Width x height in pixels, as 64x64. [default: the training's]")
    ] = None,
    count: Annotated[int, typer.Option("--n", min=1, help="Pictures a prompt.")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="Steps from noise to picture.")] = 30,
    guidance: Annotated[float, typer.Option(min=0, help="Classifier-free guidance; 1 is none.")] = 4.0,
    seed: Annotated[int, typer.Option(help="The first picture's seed; the next counts up.")] = 0,
    negative: Annotated[str, typer.Option(help="What guidance leads away from.")] = "",
    solver: Annotated[Solver, typer.Option(help="heun: of second order, two passes a step.")] = Solver.euler,
) -> None:
    """Draw pictures from a checkpoint."""
    from dataengine import handoff

    handoff.sample(checkpoint, prompts, out, size, count, steps, guidance, seed, negative, solver.value, _console())


@app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint, or a training folder for its latest.")],
    on: Annotated[Path, typer.Option(help="Prompts as JSON Lines, or Parquet of pictures with annotated text.")],
    out: Annotated[Path, typer.Option(help="Where figures and pictures go.")] = Path("evaluation"),
    read: Annotated[Read, typer.Option(help="line: the whole picture is one line of text.")] = Read.page,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many prompts, the first.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Width x height in pixels, as 64x64. [default: the training's]")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps from noise to picture.")] = 30,
    guidance: Annotated[float, typer.Option(min=0, help="Classifier-free guidance; 1 is none.")] = 4.0,
    seed: Annotated[int, typer.Option(help="The first picture's seed; the next counts up.")] = 0,
    solver: Annotated[Solver, typer.Option(help="heun: of second order, two passes a step.")] = Solver.euler,
) -> None:
    """Draw prompts, read the pictures by OCR, and say how much of the text is right; also the held-out loss."""
    from dataengine import handoff

    settings = handoff.Drawing(steps, guidance, seed, solver.value)
    handoff.evaluate(checkpoint, on, out, read.value, limit, size, settings, _console())


@app.command()
def fonts(
    language: Annotated[str | None, typer.Option(help="Only the families of one language, such as zh-Hans.")] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Only what is not installed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with what each family lacks.")] = False,
) -> None:
    """List the fonts that text sets are drawn with, and how well they cover each language."""
    from fonts import inventory

    if not inventory.show(language, missing, as_json, _console()):
        raise StageError("some fonts are not installed", "python -m fonts.fetch, and pip install 'dataengine[engine]'")


@app.command()
def doctor() -> None:
    """Look for what is missing or in conflict on this machine, and say what to do."""
    from dataengine import doctor as checks

    checks.show(_console())


def main() -> None:
    """The `dataengine` command. A user's error is a message and an exit code; a traceback is for bugs only."""
    try:
        app()
    except DataEngineError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("stopped; the same command goes on where this one was", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
