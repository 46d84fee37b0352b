"""The recipe of the report: every one of its stages has filters, and it runs where no weights are."""

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image
from rich.console import Console

from dataengine import catalog, running
from dataengine.decode import decode
from dataengine.run import Run
from demo.photographs import blurred, jpeg, noise, package_file, rotated

RECIPE = "manifests/qwen_image.yaml"
STAGES = {
    "1 initial curation": {"file_size", "resolution", "aspect", "duplicate", "nsfw"},
    "2 image quality": {"rotation", "clarity", "blur", "luma", "saturation", "entropy", "texture", "noise"},
    "3 image-text alignment": {
        "siglip_alignment",
        "chinese_clip_alignment",
        "token_length",
        "invalid_caption",
        "invalid_recaption",
    },
    "4 text rendering": {"intensive_text", "small_character"},
    "5 high resolution": {
        "high_resolution",
        "exposure",
        "sharpness",
        "compression",
        "aesthetic",
        "watermark",
        "watermark_seen",
        "codes",
        "abnormal",
        "frame",
        "collage",
    },
    "6 portraits": {"face_mosaic", "face_blur"},
    "7 multi-scale balance": {"best_of_class"},
}


def test_every_stage_of_the_report_has_its_filters():
    filters = yaml.safe_load(Path(RECIPE).read_text(encoding="utf-8"))["select"]["filters"]
    found: dict[str, set[str]] = {}
    for f in filters:
        found.setdefault(f["stage"], set()).add(f["name"])
    assert found == STAGES
    assert list(found) == sorted(found)
    phases = {f["stage"]: f.get("phase", 256) for f in filters}
    assert [phases[stage] for stage in STAGES] == [256, 256, 256, 256, 640, 640, 1328]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The recipe over a dozen files: whole photographs, and one each that a filter is to catch."""
    folder = tmp_path_factory.mktemp("recipe")
    data, out = folder / "data", folder / "run"
    (data / "found").mkdir(parents=True)
    flower = Image.fromarray(decode(package_file("sklearn/flower.jpg").read_bytes())[0])
    china = Image.fromarray(decode(package_file("sklearn/china.jpg").read_bytes())[0])
    large = china.resize((1280, 854), Image.Resampling.LANCZOS)
    files = {
        "china.jpg": (jpeg(large), "A red and green pagoda above trees.", "nature"),
        "astronaut.png": (package_file("skimage/astronaut.png").read_bytes(), "IMG_2041.JPG", "people"),
    }
    for name, (encoded, _, _) in files.items():
        (data / name).write_bytes(encoded)
    rows = [{"file": n, "caption": c, "category": k, "license": "x"} for n, (_, c, k) in files.items()]
    (data / "photos.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = {
        "blurred.jpg": blurred(),
        "noise.jpg": noise(),
        "rotated.jpg": rotated(),
        "copy.jpg": jpeg(large, quality=50),
        "strip.jpg": jpeg(china.resize((1400, 262))),
        "broken.jpg": jpeg(flower)[:2000],
        "framed.jpg": jpeg(_framed(large)),
    }
    for name, encoded in found.items():
        (data / "found" / name).write_bytes(encoded)
    recipe = Path(RECIPE).read_text(encoding="utf-8").replace("${DATA}", str(data))
    (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    running.run(folder / "recipe.yaml", str(out), ["synthesize=[]"], "pack", None, 1, False, Console(width=200))
    return Run(str(out))


def dropped(run: Run, phase: int) -> dict[str, str | None]:
    """Which filter dropped each file."""
    rows = catalog.connect(run).execute(
        f"select uri, dropped_by from decisions join samples using (part, row) where phase = {phase} order by uri"
    )
    return {uri.rsplit("/", 1)[-1]: by for uri, by in rows.fetchall()}


def test_what_each_filter_is_to_catch_is_caught(run: Run):
    first, second = dropped(run, 256), dropped(run, 640)
    assert first["blurred.jpg"] == "clarity"
    assert first["noise.jpg"] in ("texture", "noise")
    assert first["rotated.jpg"] == "rotation"
    assert first["copy.jpg"] == "duplicate"
    assert first["strip.jpg"] == "aspect"
    assert first["framed.jpg"] is None and second["framed.jpg"] == "frame"
    assert first["photos.jsonl#0.0"] is None and second["photos.jsonl#0.0"] is None
    assert second["photos.jsonl#0.1"] == "invalid_caption"
    failures = catalog.connect(run).execute("select uri, message from failures").fetchall()
    assert [uri.rsplit("/", 1)[-1] for uri, _ in failures] == ["broken.jpg"]


def test_without_weights_the_optional_signals_are_null_and_the_rest_decides(run: Run):
    query = "select count(clip_embedding), count(siglip_similarity), count(chinese_clip_category) from measured"
    assert catalog.connect(run).execute(query).fetchall() == [(0, 0, 0)]


def test_shards_have_the_three_splits_of_captions(run: Run):
    query = "select distinct caption, starts_with(recaption, 'A picture in'), fused_caption from shards order by all"
    rows = catalog.connect(run).execute(query).fetchall()
    assert rows[0][:2] == ("A red and green pagoda above trees.", True)
    assert rows[0][2].startswith("A red and green pagoda above trees. A picture in landscape format")


def _framed(picture: Image.Image) -> Image.Image:
    made = Image.new("RGB", (1600, 1100), "black")
    made.paste(picture, (160, 123))
    return made
