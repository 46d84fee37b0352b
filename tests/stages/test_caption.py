"""The signal `caption`, with each of its captioners, alone and in a run."""

import io
import json
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from rich.console import Console

from dataengine import catalog, running
from dataengine.decode import decode
from dataengine.errors import ManifestError, StageError
from dataengine.execute import stop_ray
from dataengine.run import Run
from dataengine.stage import Image, Measured
from dataengine.trainer.data import Reader, ReaderState
from dataengine.trainer.datasets import DataConfig
from fonts.catalog import families
from stages.caption import Caption, Params, sendable
from tests.chat_server import GOOD, Handler, Server, said


def encoded(width: int = 320, height: int = 280, kind: str = "PNG", **keys: object) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Picture.fromarray(pixels).save(buffer, kind, **keys)
    return buffer.getvalue()


def image(data: bytes, kind: str, **keys: object) -> Image:
    pixels, orientation = decode(data)
    return Image("id", pixels, data, kind, orientation, **keys)


@pytest.mark.parametrize(("kind", "media"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_a_picture_that_any_server_can_show_is_sent_as_it_is(kind: str, media: str):
    data = encoded(kind=kind)
    assert sendable(image(data, kind.lower()), 1280) == (data, media)


@pytest.mark.parametrize(
    ("data", "kind"),
    [(encoded(kind="TIFF"), "tiff"), (encoded(1400, 700, "JPEG"), "jpeg"), (encoded(kind="BMP"), "bmp")],
    ids=["format", "size", "bitmap"],
)
def test_another_is_sent_as_a_jpeg_that_is_not_too_large(data: bytes, kind: str):
    sent, media = sendable(image(data, kind), 640)
    shown, own = Picture.open(io.BytesIO(sent)), Picture.open(io.BytesIO(data))
    assert media == "image/jpeg" and shown.format == "JPEG" and max(shown.size) <= 640
    assert shown.width / shown.height == pytest.approx(own.width / own.height, rel=0.01)


def test_a_turned_photograph_is_sent_upright():
    turned = Picture.Exif()
    turned[0x0112] = 6
    sent, _ = sendable(image(encoded(300, 200, "JPEG", exif=turned), "jpeg"), 1280)
    assert Picture.open(io.BytesIO(sent)).size == (200, 300)


def measured(given: Measured | object) -> tuple[list[dict], dict]:
    made = given if isinstance(given, Measured) else Measured(given, {})
    return made.table.to_pylist(), dict(made.faults)


def test_an_endpoint_fills_every_column_and_the_price(server: Server):
    server.script = [lambda handler: handler.reply(said(json.dumps({**GOOD, "Fused Caption": "A sign in Rome."})))]
    signal = Caption(Params(endpoint={"url": server.url, "model": "eye"}, prices=(2.0, 10.0)))
    [row], faults = measured(signal.measure([image(encoded(), "png", caption="Rome")]))
    cost = row.pop("recaption_cost")
    assert row == {
        "recaption": GOOD["Caption"],
        "recaption_short": GOOD["Short Caption"],
        "fused_caption": "A sign in Rome.",
        "recaption_words": 10,
        "recaption_fault": None,
        "visible_text": ["SALE", "50 %"],
        "image_type": "photograph",
        "image_style": "realistic",
        "watermarks": [],
        "abnormal_element": False,
    }
    assert not faults and cost["price"] == pytest.approx((100 * 2 + 10 * 10) / 1e6)


def test_a_refusal_in_good_form_is_marked(server: Server):
    refusal = {**GOOD, "Caption": "I'm sorry, but I can't assist with that request."}
    server.script = [lambda handler: handler.reply(said(json.dumps(refusal)))]
    signal = Caption(Params(endpoint={"url": server.url, "model": "eye"}))
    [row], _ = measured(signal.measure([image(encoded(), "png")]))
    assert row["recaption_fault"] == "refusal"


def test_a_model_of_this_machine_does_the_same(small_qwen: Path):
    signal = Caption(Params(local={"model": str(small_qwen), "device": "cpu", "max_tokens": 200}))
    red, lime = (Image("id", np.asarray(Picture.new("RGB", (56, 56), c)), b"", "png") for c in ("red", "lime"))
    rows, faults = measured(signal.measure([red, lime]))
    assert rows[0]["recaption"] == "a red square" and rows[1]["recaption"] is None
    assert rows[1]["recaption_cost"]["requests"] == 3 and list(faults) == [1]


@pytest.mark.parametrize(
    "keys",
    [
        {"endpoint": {"url": "http://x/v1", "model": "m"}, "local": {}},
        {"local": {}, "abnormal": ["code_count"]},
        {"endpoint": {"url": "http://x/v1", "model": "m", "api_key": "s3cret"}},
    ],
)
def test_what_makes_no_sense_is_refused(keys: dict):
    with pytest.raises(ValueError, match=r"not both|tells by itself|api_key"):
        Params(**keys)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    """Measures three pictures, one of them with a sign and a raw caption, and packs them."""
    folder = tmp_path / "in"
    folder.mkdir()
    sign = Picture.new("RGB", (640, 480), (20, 35, 100))
    font = ImageFont.truetype(next(f for f in families() if f.name == "Inter").paths()[0], 64)
    ImageDraw.Draw(sign).text((60, 40), "HARBOUR FERRIES", (255, 255, 255), font)
    sign.save(folder / "sign.png")
    for name in ("a", "b"):
        Picture.new("RGB", (400, 300), (255, 255, 255) if name == "a" else (215, 30, 35)).save(folder / f"{name}.png")
    rows = [{"image": "sign.png", "title": "The pier"}, {"image": "a.png"}, {"image": "b.png", "title": "Red"}]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))

    def go(entry: dict, measure: tuple = (), **sections: object) -> Run:
        source = {"name": "in", "stage": "table", "path": str(folder / "rows.jsonl"), "caption": "title"}
        manifest = {"name": "t", "collect": [source], "measure": [*measure, {"stage": "caption", **entry}], **sections}
        (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(manifest))
        out = str(tmp_path / "run")
        running.run(tmp_path / "manifest.yaml", out, [], "pack", None, 1, False, Console(width=200))
        return Run(out)

    return go


def column(run: Run, expression: str) -> list:
    query = f"select {expression} from measured order by part, row"
    return [value for (value,) in catalog.connect(run).execute(query).fetchall()]


def test_without_a_model_a_run_says_what_ocr_and_codes_know(run):
    made = run({"abnormal": ["code_count"]}, measure=("ocr", "codes"))
    assert column(made, "recaption") == [
        "A picture in landscape format, mainly dark blue. At the top it reads: “HARBOUR FERRIES”.",
        "A picture in landscape format, mainly white.",
        "A picture in landscape format, mainly red.",
    ]
    assert column(made, "fused_caption")[0].startswith("The pier. A picture in landscape")
    assert column(made, "fused_caption")[1] is None
    assert column(made, "visible_text") == [["HARBOUR FERRIES"], [], []]
    assert column(made, "abnormal_element") == [False] * 3
    assert column(made, "image_type") == [None] * 3


def test_without_a_model_and_without_ocr_there_is_nothing_to_say(run):
    with pytest.raises(ManifestError, match=r"measure.caption looks at 'ocr_lines', which nothing measures"):
        run({})


def test_a_picture_without_an_answer_is_a_failure_and_is_asked_for_once(run, server: Server):
    def picky(handler: Handler) -> None:
        asked = json.dumps(handler.body)
        fused = {"Fused Caption": "both"} if "Fused Caption" in asked else {}
        handler.reply(said("no." if "Red" in asked else json.dumps({**GOOD, **fused})))

    server.always = picky
    made = run({"endpoint": {"url": server.url, "model": "eye"}})
    assert column(made, "recaption") == [GOOD["Caption"], GOOD["Caption"], None]
    assert column(made, "fused_caption") == ["both", None, None]
    assert column(made, "recaption_cost.requests") == [1, 1, 3]
    failures = catalog.connect(made).execute("select stage, message from failures").fetchall()
    assert failures == [("caption", "eye gives no answer that can be used: it is no JSON object: 'no.'")]
    asked = len(server.asked)
    assert asked == 5
    run({"endpoint": {"url": server.url.replace("127.0.0.1", "localhost"), "model": "eye", "concurrency": 2}})
    assert len(server.asked) == asked  # where and how fast it is asked changes nothing
    run({"endpoint": {"url": server.url, "model": "other eye"}})
    assert len(server.asked) > asked


def test_the_key_goes_to_the_server_and_into_no_file(run, server: Server, monkeypatch: pytest.MonkeyPatch, capsys):
    keys = set()

    def repeats(handler: Handler) -> None:
        keys.add(handler.headers["Authorization"])
        handler.reply(json.dumps({"error": {"message": f"got {handler.headers['Authorization']}"}}).encode(), 500)

    server.always = repeats
    monkeypatch.setenv("EYE_KEY", "s3cret")
    stop_ray()  # workers have the environment in which Ray was started
    made = run({"endpoint": {"url": server.url, "model": "eye", "key": "EYE_KEY", "retries": 0}})
    assert keys == {"Bearer s3cret"}
    messages = catalog.connect(made).execute("select message from failures").fetchall()
    assert len(messages) == 3 and all("got Bearer …" in message for (message,) in messages)
    files = [path for path in Path(made.location).rglob("*") if path.is_file()]
    assert len(files) > 5 and not any(b"s3cret" in path.read_bytes() for path in files)
    assert "s3cret" not in "".join(capsys.readouterr())


def test_an_endpoint_that_is_not_there_stops_the_run_before_it_begins(run):
    with pytest.raises(StageError, match=r"measure.caption: http://127.0.0.1:9/v1 cannot be asked for captions"):
        run({"endpoint": {"url": "http://127.0.0.1:9/v1", "model": "eye"}})


def test_the_three_splits_stand_in_the_shards_and_training_takes_them_by_weight(run, server: Server):
    server.always = lambda handler: handler.reply(
        said(json.dumps({**GOOD, **({"Fused Caption": "both"} if "Fused Caption" in json.dumps(handler.body) else {})}))
    )
    captions = {
        "caption": "case when length(caption) > 3 then caption end",
        "recaption": "recaption",
        "fused_caption": "fused_caption",
    }
    made = run({"endpoint": {"url": server.url, "model": "eye"}}, select={}, balance={}, pack={"captions": captions})
    rows = catalog.connect(made).execute("select caption, recaption, fused_caption from shards").fetchall()
    assert set(rows) == {
        ("The pier", GOOD["Caption"], "both"),
        (None, GOOD["Caption"], None),
        (None, GOOD["Caption"], "both"),
    }
    config = DataConfig(path=made.path("shards"), resolution=32, caption={"caption": 1, "fused_caption": 1})
    with closing(Reader(config, batch=1, patch=4, seed=0).batches(ReaderState())) as batches:
        seen = {batch.captions[0] for batch in islice(batches, 12)}
    assert seen == {"The pier", "both"}
