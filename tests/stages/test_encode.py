"""Rows of a shard through small encoders of the released kinds."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from dataengine import latents, schema
from dataengine.errors import StageError
from dataengine.trainer.patchify import to_pixels
from dataengine.trainer.pictures import fit
from dataengine.trainer.text_to_image import ModelConfig, TextToImage
from stages.encode import Encode, Params

COLUMNS = pa.schema([*schema.SHARD, ("raw", pa.string())])
NOTHING = schema.LATENTS.empty_table()


def row(seed: int, **changes: object) -> dict[str, object]:
    """A wide picture with two captions."""
    stream = io.BytesIO()
    colours = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((75, 50), Image.Resampling.BICUBIC).save(stream, "PNG")
    plain = {"source": "test", "uri": f"test/{seed}", "format": "png", "width": 75, "height": 50, "category": "a"}
    place = {"sample_id": f"{seed:032x}", "phase": 40, "bucket": "3x2", "copy": 0, "language": "en", "text": []}
    said = {"caption": f"picture {seed}", "raw": "the same for all"}
    return {**plain, **place, **said, "image": {"bytes": stream.getvalue(), "path": None}, **changes}


def table(*rows: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=COLUMNS)


@pytest.fixture(scope="module")
def config(random_qwen: Path, small_vae: Path) -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "image": {"kind": "autoencoder", "model": str(small_vae)},
            "text": {"kind": "qwen", "model": str(random_qwen), "channels": 64},
            "transformer": {"layers": 1, "heads": 2, "axes": [4, 6, 6]},
        }
    )


@pytest.fixture(scope="module")
def model(config) -> TextToImage:
    return TextToImage(config)


@pytest.fixture(scope="module")
def encode(config) -> Encode:
    return Encode(Params(image=config.image, text=config.text), batch=2)


@torch.no_grad()
def test_what_stands_at_rest_is_what_the_model_would_compute_of_the_picture(encode, model):
    made = encode.encode(table(row(1), row(2), row(3)), NOTHING)
    assert made.table.schema.equals(schema.LATENTS) and not made.failures
    for seed, found in zip((1, 2, 3), made.table.to_pylist(), strict=True):
        assert (found["height"], found["width"]) == (32, 48)  # of 40², in 3:2, in steps of 16 pixels
        image = Image.open(io.BytesIO(row(seed)["image"]["bytes"]))
        pixels = image.resize((48, 32), Image.Resampling.BICUBIC, box=tuple(found["crop"]), reducing_gap=3.0)
        wanted = model.tokens(torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None])
        stored = latents.from_bytes(found["latent"]["values"], found["latent"]["shape"])
        torch.testing.assert_close(model.packed(stored[None]), wanted, rtol=1e-2, atol=1e-2)
        names = [(caption["name"], caption["caption"]) for caption in found["captions"]]
        assert names == [("caption", f"picture {seed}"), ("raw", "the same for all")]
        for caption in found["captions"]:
            states, _ = model.encode([caption["caption"]])
            stored = latents.from_bytes(caption["states"], caption["shape"])
            torch.testing.assert_close(stored.float(), states[0], rtol=1e-2, atol=1e-2)


@torch.no_grad()
def test_the_states_of_the_empty_caption_come_along(encode, model):
    notes = {key: value.encode() for key, value in encode.notes().items()}
    torch.testing.assert_close(latents.empty_states(notes).float(), model.encode([""])[0][0], rtol=1e-2, atol=1e-2)
    assert latents.empty_states({}) is None


def test_rows_that_cannot_be_encoded_are_failures_and_the_others_stand(encode):
    rows = table(row(1), row(2, image={"bytes": b"broken", "path": None}), row(3, image=None), row(4, caption=None))
    made = encode.encode(rows, NOTHING)
    assert [int(i, 16) for i in made.table["sample_id"].to_pylist()] == [1, 4]
    assert [(f.uri, f.stage, f.error) for f in made.failures] == [
        ("test/2", "encode", "SampleError"),
        ("test/3", "encode", "SampleError"),
    ]
    assert [c["name"] for c in made.table.to_pylist()[1]["captions"]] == ["raw"]


def test_what_earlier_latents_hold_is_taken_from_there(encode, monkeypatch):
    known = encode.encode(table(row(1), row(2)), NOTHING).table
    calls = counted(encode, monkeypatch)
    made = encode.encode(table(row(2), row(3), row(2, copy=1)), known)
    assert calls == {"pictures": 1, "captions": 1}  # those of 3
    assert made.table.slice(0, 1).drop_columns(["copy"]).equals(known.slice(1, 1).drop_columns(["copy"]))
    latent = made.table["latent"].to_pylist()
    assert latent[0] == latent[2] != latent[1]


@pytest.mark.parametrize(
    "change",
    [
        {"image": row(9)["image"]},  # a synthesized sample drawn otherwise has the same id
        {"bucket": "1x1"},
        {"phase": 60},
    ],
    ids=["bytes", "bucket", "size"],
)
def test_what_a_latent_depends_on_makes_it_another(encode, monkeypatch, change):
    known = encode.encode(table(row(1)), NOTHING).table
    calls = counted(encode, monkeypatch)
    encode.encode(table(row(1, **change)), known)
    assert calls == {"pictures": 1, "captions": 0}


def test_what_other_encoders_made_is_not_taken(encode, monkeypatch):
    known = encode.encode(table(row(1)), NOTHING).table
    for column in ("image_encoder", "text_encoder"):
        at = known.schema.get_field_index(column)
        known = known.set_column(at, known.schema.field(at), pa.array(["other"]))
    calls = counted(encode, monkeypatch)
    encode.encode(table(row(1)), known)
    assert calls == {"pictures": 1, "captions": 2}


def counted(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many pictures and captions pass the encoders from now on."""
    calls = {"pictures": 0, "captions": 0}
    picture, text = encode._image.encode, encode._text

    def encoded(signal, generators=None):
        calls["pictures"] += len(signal)
        return picture(signal, generators)

    def said(captions):
        calls["captions"] += len(captions)
        return text(captions)

    monkeypatch.setattr(encode._image, "encode", encoded)
    monkeypatch.setattr(encode, "_text", said)
    return calls


def test_each_repeat_may_be_a_draw_of_its_own(config):
    drawing = Encode(Params(image=config.image, text=None, posterior="sample"), batch=2)
    rows = table(row(1), row(1, copy=1), row(2))
    first = drawing.encode(rows, NOTHING).table
    one, other, _ = first["latent"].to_pylist()
    assert one != other
    assert drawing.encode(rows, NOTHING).table.equals(first)
    assert drawing.encode(table(row(1, copy=1)), NOTHING).table["latent"][0]["shape"].as_py() == other["shape"]
    mode = Encode(Params(image=config.image, text=None), batch=2).encode(rows, first).table  # does not take the draws
    assert mode["latent"][0].as_py() == mode["latent"][1].as_py() != one


def test_without_encoders_captions_and_pixels_stay_as_they_are():
    encode = Encode(Params(image={"kind": "pixels", "patch": 4}, text=None, resolution=12), batch=4)
    [found] = encode.encode(table(row(1)), NOTHING).table.to_pylist()
    assert encode.notes() == {}
    assert [(c["caption"], c["shape"], c["states"]) for c in found["captions"]] == [
        ("picture 1", None, None),
        ("the same for all", None, None),
    ]
    signal = latents.from_bytes(found["latent"]["values"], found["latent"]["shape"])
    picture = Image.open(io.BytesIO(row(1)["image"]["bytes"]))
    assert torch.equal(to_pixels(signal), torch.from_numpy(fit(picture, (8, 16)).copy()).permute(2, 0, 1))


def test_a_column_of_captions_that_is_not_there_is_named():
    encode = Encode(Params(image={"kind": "pixels"}, text=None, captions=["fused"]), batch=4)
    with pytest.raises(StageError, match=r"have no column 'fused'\n.*they have: .*caption"):
        encode.encode(table(row(1)), NOTHING)
