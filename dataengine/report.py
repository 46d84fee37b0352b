"""RUN/report.html: one self-contained page that shows what a run did, with the pictures behind each decision."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import jinja2
from PIL import Image, ImageDraw

from dataengine import catalog, decode, stats
from dataengine.errors import SampleError
from dataengine.run import Run

_THUMB = 200
_PER_GROUP = 12


@dataclass(frozen=True)
class Picture:
    """A thumbnail with its caption, as the page shows it."""

    source: str  # a data: URL
    title: str
    detail: str = ""


def write(run: Run) -> str:
    """Write the page and return where it is."""
    db = catalog.connect(run)
    state = run.read_json("run.json")
    manifest = run.manifest()
    losses = _losses(run)
    environment = jinja2.Environment(loader=jinja2.PackageLoader("dataengine", "."), autoescape=True)
    page = environment.get_template("report.html.jinja").render(
        name=state.get("name", ""),
        url=run.url,
        versions=state.get("versions", {}),
        stages=state.get("stages", {}),
        phases=_phases(db),
        failures=stats.failures(db),
        unmeasured=stats.unmeasured(db),
        balances=stats.balances(db, manifest.get("balance") or {}),
        buckets=stats.buckets(db),
        dropped=_dropped(db),
        kept=_kept(db),
        pages=_pages(db),
        losses=losses,
        curve=curve(losses),
        grid=_grid(run),
    )
    run.write_text("report.html", page)
    return run.path("report.html")


def _phases(db: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Per phase: how many were kept, and what each filter took first."""
    phases: dict[str, dict[str, Any]] = {}
    total = stats.funnel(db)[0][2]
    for phase, what, count in stats.funnel(db)[1:]:
        entry = phases.setdefault(phase, {"phase": phase, "total": total, "kept": 0, "dropped": []})
        if what == "kept":
            entry["kept"] = count
        else:
            entry["dropped"].append((what.removeprefix("dropped by "), count))
    return list(phases.values())


def _dropped(db: duckdb.DuckDBPyConnection) -> list[tuple[str, list[Picture]]]:
    """For each filter, some of the pictures that it was the first to drop, in the first phase in which it did."""
    rows = db.execute(
        """select dropped_by, min(phase) from decisions where not kept group by dropped_by
            order by count(distinct (part, row)) desc, dropped_by"""
    ).fetchall()
    title = "split_part(reason, ';', 1)"
    return [(name, _pictures(db, phase, f"dropped_by = '{name}'", title, _PER_GROUP // 2)) for name, phase in rows]


def _kept(db: duckdb.DuckDBPyConnection) -> list[Picture]:
    """Some of the collected pictures that the first phase keeps."""
    phase = db.execute("select min(phase) from decisions").fetchall()[0][0]
    return _pictures(db, phase, "kept and len(text) = 0", "coalesce(caption, '')", _PER_GROUP) if phase else []


def _pictures(db: duckdb.DuckDBPyConnection, phase: int, where: str, title: str, most: int) -> list[Picture]:
    """Thumbnails of samples with a decision, in an order that does not favour a source."""
    rows = db.execute(
        f"""select image.bytes, {title}, uri from decisions join samples using (sample_id, part, row)
            where phase = {phase} and {where} order by md5(sample_id) limit {most}"""
    ).fetchall()
    return [Picture(thumb, str(t), str(uri).rsplit("/", 1)[-1]) for b, t, uri in rows if (thumb := _thumbnail(b))]


def _pages(db: duckdb.DuckDBPyConnection) -> list[Picture]:
    """Synthesized pages, two a language, with the quadrilaterals of their words."""
    rows = db.execute(
        """select image.bytes, language, text, caption from samples where len(text) > 0
            qualify row_number() over (partition by language order by md5(sample_id)) <= 2
            order by language, sample_id"""
    ).fetchall()
    return [Picture(t, str(lang), str(caption)) for b, lang, text, caption in rows if (t := _thumbnail(b, 300, text))]


def _thumbnail(encoded: bytes, side: int = _THUMB, text: Sequence[Any] = ()) -> str:
    """A JPEG data URL; empty when the picture does not decode."""
    try:
        pixels, _ = decode.decode(encoded)
    except SampleError:
        return ""
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for paragraph in text or ():
        for word in paragraph["words"]:
            draw.polygon(word["quad"], outline=(230, 60, 60))
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _losses(run: Run) -> list[tuple[int, float]]:
    """(step, loss) of the run's own training, where there is one."""
    path = run.path("train", "metrics.jsonl")
    if not run.fs.exists(path):
        return []
    rows = [json.loads(line) for line in run.fs.cat_file(path).decode().splitlines() if line.strip()]
    return [(row["step"], row["loss"]) for row in rows if row.get("loss") is not None]


def curve(losses: Sequence[tuple[int, float]], width: int = 720, height: int = 220) -> str:
    """The points of an SVG polyline, the loss axis from zero to its largest value."""
    if len(losses) < 2:
        return ""
    last, most = losses[-1][0], max(loss for _, loss in losses)
    return " ".join(f"{step / last * width:.1f},{height - loss / most * height:.1f}" for step, loss in losses)


def _grid(run: Run) -> str:
    """The last grid of pictures that the training drew, as a data URL."""
    try:
        grids = sorted(f for f in run.fs.find(run.path("train", "samples")) if f.endswith(".png"))
    except FileNotFoundError:
        return ""
    return "data:image/png;base64," + base64.b64encode(run.fs.cat_file(grids[-1])).decode() if grids else ""
