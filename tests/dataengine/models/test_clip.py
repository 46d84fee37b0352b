"""Encoders agree with their libraries on checkpoints of the same formats, made small, and say what is missing."""

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModel,
    BertTokenizerFast,
    ChineseCLIPConfig,
    ChineseCLIPImageProcessor,
    ChineseCLIPModel,
    ChineseCLIPProcessor,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
)

from dataengine.errors import StageError
from dataengine.models import clip
from tests.conftest import CLIP_CONFIG

TEXTS = ["a photo of a cat", "two dogs on a bench, and a third one " * 12]


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((70, 90), (200, 100), (64, 64))]


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("siglip")
    torch.manual_seed(0)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = SiglipConfig(
        text_config={**small, "vocab_size": 100, "max_position_embeddings": 16},
        vision_config={**small, "image_size": 32, "patch_size": 16},
    )
    SiglipModel(config).save_pretrained(folder)
    words = {w: i for i, w in enumerate(["[PAD]", "[UNK]", "a", "photo", "of", "cat", "two", "dogs"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    SiglipProcessor(SiglipImageProcessor(size={"height": 32, "width": 32}), fast).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def chinese_clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chinese_clip")
    torch.manual_seed(0)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = ChineseCLIPConfig(
        text_config={**small, "vocab_size": 20, "max_position_embeddings": 16},
        vision_config={**small, "image_size": 32, "patch_size": 16},
        projection_dim=24,
    )
    ChineseCLIPModel(config).save_pretrained(folder)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"一只猫两狗的照片"]))
    sized = ChineseCLIPImageProcessor(size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32})
    ChineseCLIPProcessor(sized, BertTokenizerFast(str(vocabulary))).save_pretrained(folder)
    return folder


def unit(rows: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(rows.detach(), dim=-1).numpy()


def test_open_clip_agrees_with_its_library(open_clip_folder: Path, images: list[np.ndarray]):
    encoder = clip.load("open_clip", str(open_clip_folder), device="cpu")
    model, prepare = open_clip.create_model_from_pretrained(f"local-dir:{open_clip_folder}")
    tokenize = open_clip.get_tokenizer(f"local-dir:{open_clip_folder}")
    one_by_one = torch.cat([model.encode_image(prepare(Image.fromarray(i))[None]) for i in images])
    np.testing.assert_allclose(encoder.images(images), unit(one_by_one), atol=1e-5)
    np.testing.assert_allclose(encoder.texts(TEXTS), unit(model.encode_text(tokenize(TEXTS))), atol=1e-5)
    assert encoder.scale == pytest.approx(model.logit_scale.exp().item())


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of an architecture `tiny`, published as its tag `made`; they were trained with the quick GELU."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", CLIP_CONFIG)
    torch.manual_seed(1)
    torch.save(open_clip.create_model("tiny").state_dict(), tmp_path / "weights.pt")
    tag = {"file": str(tmp_path / "weights.pt"), "hf_hub": "maker/tiny/weights.pt", "quick_gelu": True}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny", {"made": tag})
    return tmp_path / "weights.pt"


def test_a_known_architecture_takes_a_file_of_weights(tiny: Path, images: list[np.ndarray]):
    encoder = clip.load("open_clip", "tiny", str(tiny), device="cpu")
    model, prepare = open_clip.create_model_from_pretrained("tiny", str(tiny))
    wanted = model.eval().encode_image(prepare(Image.fromarray(images[0]))[None])
    np.testing.assert_allclose(encoder.images(images[:1]), unit(wanted), atol=1e-5)


def test_published_weights_have_the_activation_that_they_were_trained_with(
    tiny: Path, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    asked = []
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda self, name, **how: asked.append(name))
    encoder = clip.load("open_clip", "tiny", "made", device="cpu")
    model, prepare = open_clip.create_model_from_pretrained("tiny", str(tiny), force_quick_gelu=True)
    wanted = unit(model.eval().encode_image(prepare(Image.fromarray(images[0]))[None]))
    np.testing.assert_allclose(encoder.images(images[:1]), wanted, atol=1e-5)
    plain = clip.load("open_clip", "tiny", str(tiny), device="cpu").images(images[:1])
    assert np.abs(plain - wanted).max() > 1e-4  # the other one would show
    assert asked == ["maker/tiny"]


@pytest.mark.parametrize("kind", ["siglip_folder", "chinese_clip_folder"])
def test_transformers_agrees_with_its_library(kind: str, images: list[np.ndarray], request: pytest.FixtureRequest):
    folder = request.getfixturevalue(kind)
    encoder = clip.load("transformers", str(folder), device="cpu")
    model = AutoModel.from_pretrained(folder).eval()
    process = type(encoder._process).from_pretrained(folder)
    pixels = torch.cat([process(images=[i], return_tensors="pt")["pixel_values"] for i in images])
    np.testing.assert_allclose(
        encoder.images(images), unit(model.get_image_features(pixel_values=pixels).pooler_output), atol=1e-5
    )
    texts = ["a photo of a cat", "两只狗的照片"]
    whole = {"padding": "max_length", "max_length": 16} if kind == "siglip_folder" else {"padding": True}
    wanted = unit(model.get_text_features(**process(text=texts, return_tensors="pt", **whole)).pooler_output)
    np.testing.assert_allclose(encoder.texts(texts), wanted, atol=1e-5)
    assert encoder.texts(["cat " * 50]).shape == wanted[:1].shape  # longer than the context


def test_siglip_takes_capitals_for_small_letters(siglip_folder: Path):
    encoder = clip.load("transformers", str(siglip_folder), device="cpu")
    small, capitals, other = encoder.texts(["a photo of a cat", "A PHOTO of a Cat", "a photo of two dogs"])
    np.testing.assert_allclose(small, capitals, atol=1e-6)
    assert np.abs(small - other).max() > 1e-3


def test_embeddings_do_not_depend_on_the_batch(open_clip_folder: Path, images: list[np.ndarray]):
    encoder = clip.load("open_clip", str(open_clip_folder), device="cpu")
    alone = np.concatenate([encoder.images([image]) for image in images])
    np.testing.assert_allclose(encoder.images(images), alone, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("open_clip", "ViT-Q-99", "openai"), "knows no model 'ViT-Q-99'"),
        (("open_clip", "ViT-B-32", None), "no weights are named"),
        (("open_clip", "ViT-B-32", "/nowhere.pt"), "neither a file nor a published tag"),
        (("open_clip", "ViT-B-32", "openai"), "the weights of ViT-B-32 (openai): neither in the hub's cache here"),
        (("transformers", "google/siglip2-base-patch16-224"), "nor to be had from the hub (HF_HUB_OFFLINE is set)"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(arguments: tuple, said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fault = clip.missing(*arguments)
    assert fault and said in fault.message and fault.remedy
    with pytest.raises(StageError):
        clip.load(*arguments)


def test_what_is_to_be_fetched_and_where_it_goes_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    fault = clip.missing("open_clip", "ViT-L-14", "openai")
    assert fault and "`hf download timm/vit_large_patch14_clip_224.openai --local-dir FOLDER`" in fault.remedy
    assert fault.remedy.endswith("copy FOLDER here and write `model: FOLDER`")


def test_a_folder_has_its_own_weights_whatever_tag_is_named(open_clip_folder: Path, images: list[np.ndarray]):
    assert clip.missing("open_clip", str(open_clip_folder), "openai") is None
    found = [clip.load("open_clip", str(open_clip_folder), tag, "cpu").images(images) for tag in (None, "openai")]
    np.testing.assert_array_equal(*found)


def test_a_damaged_checkpoint_is_refused(open_clip_folder: Path, tmp_path: Path):
    (tmp_path / "open_clip_config.json").write_text((open_clip_folder / "open_clip_config.json").read_text())
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(StageError, match="cannot be loaded"):
        clip.load("open_clip", str(tmp_path), device="cpu")
