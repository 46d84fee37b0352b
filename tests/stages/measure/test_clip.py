"""The signal `clip` on a small checkpoint, against open_clip's own numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image as Picture

from dataengine.errors import ManifestError, StageError
from dataengine.stage import Image
from stages.measure.clip import Clip, ClipParams, Siglip, SiglipParams

TAXONOMY = {
    "templates": ["a photo of {}", "{}"],
    "classes": {"nature": {"animals": ["a cat", "a dog"], "plants": ["a tree"]}, "people": {"portrait": ["a face"]}},
}


def image(seed: int, caption: str | None) -> Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (80, 100, 3), np.uint8)
    return Image(f"id{seed}", pixels, b"", "png", caption=caption)


@pytest.fixture(scope="module")
def signal(open_clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    head = tmp_path_factory.mktemp("head") / "head.pth"
    torch.manual_seed(0)
    torch.save(torch.nn.Linear(32, 1).state_dict(), head)
    params = ClipParams(model=str(open_clip_folder), weights=None, taxonomy=TAXONOMY, aesthetic=str(head), device="cpu")
    assert Clip.missing(params) is None
    return Clip(params)


def test_rows_are_what_open_clip_computes(signal: Clip, open_clip_folder: Path):
    images = [image(0, "a photo of a cat"), image(1, None), image(2, "")]
    rows = signal.measure(images).to_pylist()
    model, prepare = open_clip.create_model_from_pretrained(f"local-dir:{open_clip_folder}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{open_clip_folder}")
    with torch.inference_mode():
        seen = model.encode_image(torch.stack([prepare(Picture.fromarray(i.pixels)) for i in images]), normalize=True)
        said = model.encode_text(tokenize(["a photo of a cat"]), normalize=True)
        phrases = torch.stack(
            [
                torch.nn.functional.normalize(
                    model.encode_text(tokenize([f"a photo of {p}", p]), normalize=True).mean(0), dim=0
                )
                for p in ("a cat", "a dog", "a tree", "a face")
            ]
        )
        shares = (model.logit_scale.exp() * seen @ phrases.T).softmax(dim=1).numpy()
    assert rows[0]["clip_similarity"] == pytest.approx(float(seen[0] @ said[0]), abs=1e-5)
    assert rows[1]["clip_similarity"] is None and rows[2]["clip_similarity"] is None
    for row, embedded, share in zip(rows, seen.numpy(), shares, strict=True):
        np.testing.assert_allclose(np.array(row["clip_embedding"], np.float32), embedded, atol=5e-4)
        found = dict(row["clip_probabilities"])
        assert found["nature"] == pytest.approx(share[:3].sum(), abs=1e-4)
        assert found["nature/animals"] == pytest.approx(share[:2].sum(), abs=1e-4)
        assert found["people"] + found["nature"] == pytest.approx(1, abs=1e-5)
        assert row["clip_category"] == max(("nature", "people"), key=found.__getitem__)
        assert found[row["clip_concept"]] == max(p for name, p in found.items() if "/" in name)
        assert np.isfinite(row["aesthetic"])


def test_further_captions_are_compared_like_the_first(open_clip_folder: Path):
    keys = {"model": str(open_clip_folder), "weights": None, "taxonomy": TAXONOMY, "device": "cpu"}
    params = ClipParams(captions=["recaption", "fused_caption"], **keys)
    assert Clip.needs(params) == ["recaption", "fused_caption"] and not Clip.needs(ClipParams(**keys))
    known = [{"recaption": "a dog", "fused_caption": "a cat"}, {"recaption": "a cat", "fused_caption": None}]
    images = [replace(image(0, "a cat"), known=known[0]), replace(image(0, None), known=known[1])]
    first, second = Clip(params).measure(images).to_pylist()
    assert dict(first["clip_similarities"])["fused_caption"] == pytest.approx(first["clip_similarity"])
    assert dict(second["clip_similarities"]) == {"recaption": pytest.approx(first["clip_similarity"])}
    assert dict(first["clip_similarities"])["recaption"] != pytest.approx(first["clip_similarity"])
    assert second["clip_similarity"] is None
    with pytest.raises(StageError, match="'recaption' holds no texts"):
        Clip(params).measure([replace(image(0, None), known={"recaption": 0.5, "fused_caption": None})])


def test_a_head_of_another_model_is_refused(open_clip_folder: Path, tmp_path: Path):
    torch.save(torch.nn.Linear(512, 1).state_dict(), tmp_path / "head.pth")
    head = str(tmp_path / "head.pth")
    params = ClipParams(model=str(open_clip_folder), weights=None, taxonomy=TAXONOMY, aesthetic=head, device="cpu")
    with pytest.raises(StageError, match="takes 512 numbers"):
        Clip(params).measure([image(0, None)])


def test_the_taxonomy_of_the_report_is_the_default():
    domains = ClipParams().taxonomy.classes
    assert list(domains) == ["nature", "design", "people"]
    assert all(phrases for classes in domains.values() for phrases in classes.values())


def test_what_is_missing_is_known_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "ViT-L-14 (openai)" in str(Clip.missing(ClipParams()))
    assert "siglip2" in str(Siglip.missing(SiglipParams()))


def test_an_empty_taxonomy_is_refused():
    with pytest.raises((ManifestError, ValueError)):
        ClipParams(taxonomy={"classes": {}})
