"""What a model's configuration may say, and the three sides joined."""

from pathlib import Path

import pytest
import torch
from torch import nn

from dataengine.config import build
from dataengine.errors import ManifestError
from dataengine.models import text_encoder, vae
from dataengine.models.vae import PixelsConfig
from dataengine.trainer.text_to_image import ModelConfig, TextToImage, check_encoders, padded

TRANSFORMER = {"layers": 2, "heads": 2, "axes": [4, 6, 6]}
TEXT = {"width": 16, "layers": 1, "heads": 2, "max_bytes": 16}


@pytest.fixture
def byte_model() -> TextToImage:
    return made(patch=4, text=TEXT)


@pytest.fixture(scope="module")
def pretrained(random_qwen: Path, small_vae: Path) -> TextToImage:
    return made(
        text={"kind": "qwen", "model": str(random_qwen), "channels": 64},
        image={"kind": "autoencoder", "model": str(small_vae)},
    )


def made(**config: object) -> TextToImage:
    """A model that computes something: modulations and head start at zero."""
    torch.manual_seed(0)
    model = TextToImage(build(ModelConfig, {"transformer": TRANSFORMER, **config}, "model"))
    for parameter in model.transformer.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def test_the_short_forms_mean_what_the_long_ones_say():
    short = build(ModelConfig, {"patch": 4, "text": {"width": 32}, "transformer": "nano"}, "model")
    long = build(ModelConfig, short.model_dump(), "model")
    assert short == long
    assert short.image == PixelsConfig(patch=4) and short.patch == 4 and short.token_channels == 48
    assert short.text.kind == "bytes" and short.text.channels == 32


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"patch": 4, "image": {"kind": "pixels"}}, "`patch` stands within `image`"),
        ({"text": {"kind": "qwen", "chanels": 64}}, "unknown key; did you mean 'channels'"),
        ({"text": {"wdth": 64}}, "unknown key; did you mean 'width'"),
        ({"text": {"kind": "clip"}}, "'bytes', 'qwen', 'sentence'"),
        ({"image": {"kind": "autoencoder", "chanels": 4}}, "unknown key; did you mean 'channels'"),
    ],
)
def test_a_mistake_is_named(config, message):
    with pytest.raises(ManifestError, match=message):
        build(ModelConfig, config, "model")


def test_pixels_come_back_from_their_tokens(byte_model):
    pixels = torch.randint(0, 256, (2, 3, 8, 12), dtype=torch.uint8)
    tokens = byte_model.tokens(pixels)
    assert tokens.shape == (2, 6, 48)
    assert torch.equal(byte_model.pixels(tokens, (8, 12)), pixels)


@torch.no_grad()
def test_pictures_of_several_sizes_in_a_batch_have_the_velocities_that_they_have_alone(byte_model):
    sizes = [(8, 12), (16, 4), (8, 12)]
    captions = ["a", "two words", ""]
    tokens = [torch.randn(h * w // 16, 48) for h, w in sizes]
    sigma = torch.tensor([0.2, 0.5, 0.9])
    together = byte_model(tokens, sigma, byte_model.encode(captions), sizes)
    for index, size in enumerate(sizes):
        condition = byte_model.encode(captions[index : index + 1])
        alone = byte_model(tokens[index][None], sigma[index : index + 1], condition, size)
        torch.testing.assert_close(together[index], alone[0], rtol=1e-4, atol=1e-5)


def test_pretrained_encoders_are_neither_parameters_nor_in_a_checkpoint(pretrained):
    pretrained.encode(["a"])
    pretrained.tokens(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    assert {name.split(".")[0] for name, _ in pretrained.named_parameters()} == {"transformer"}
    assert {name.split(".")[0] for name in pretrained.state_dict()} == {"transformer"}


def test_they_are_not_loaded_before_they_are_asked_for():
    model = made(
        text={"kind": "qwen", "model": "/no/such/folder", "channels": 64},
        image={"kind": "autoencoder", "model": "/no/such/folder"},
    )
    tokens = model.packed(torch.randn(1, 16, 4, 6))
    assert tokens.shape == (1, 6, 64)
    velocity = model(tokens, torch.tensor([0.5]), padded([torch.randn(5, 64)]), (32, 48))
    assert velocity.shape == tokens.shape


@torch.no_grad()
def test_a_batch_passes_pretrained_encoders_and_the_transformer(pretrained):
    assert pretrained.patch == 16
    pixels = torch.randint(0, 256, (2, 3, 32, 48), dtype=torch.uint8)
    tokens = pretrained.tokens(pixels)
    assert tokens.shape == (2, 6, 64)
    condition = pretrained.encode(["a red square", ""])
    velocity = pretrained(tokens, torch.tensor([0.2, 0.7]), condition, (32, 48))
    alone = pretrained(tokens[1:], torch.tensor([0.7]), pretrained.encode([""]), (32, 48))
    torch.testing.assert_close(velocity[1:], alone, rtol=1e-4, atol=1e-5)
    assert pretrained.pixels(tokens, (32, 48)).shape == pixels.shape


@torch.no_grad()
def test_states_at_rest_serve_as_those_encoded_now(pretrained):
    captions = ["a red square", "", "blue"]
    wanted, wanted_mask = pretrained.encode(captions)
    at_rest = [states[real].bfloat16() for states, real in zip(wanted, wanted_mask, strict=True)]
    for known in ([at_rest[0], None, at_rest[2]], [None, None, at_rest[2]], [None] * 3):
        states, mask = pretrained.condition(captions, known)
        assert states.dtype == torch.float32 and torch.equal(mask, wanted_mask)
        torch.testing.assert_close(states, wanted, rtol=1e-2, atol=1e-2)


def test_latents_at_rest_need_no_encoder_at_hand():
    model = made(
        text={"kind": "qwen", "model": "/no/such/folder", "channels": 64},
        image={"kind": "autoencoder", "model": "/no/such/folder"},
    )
    model.empty = torch.zeros(5, 64, dtype=torch.bfloat16)
    states, mask = model.condition(["a", ""], [torch.ones(7, 64, dtype=torch.bfloat16), None])
    assert mask.sum(1).tolist() == [7, 5]
    tokens = model.packed([torch.ones(16, 4, 6, dtype=torch.bfloat16), torch.ones(16, 2, 2, dtype=torch.bfloat16)])
    velocity = model(tokens, torch.tensor([0.1, 0.5]), (states, mask), [(32, 48), (16, 16)])
    assert [tuple(row.shape) for row in velocity] == [(6, 64), (1, 64)]


def test_latents_of_other_encoders_than_the_models_are_refused(pretrained, caplog):
    config = pretrained.config
    made_by = {"image_encoder": vae.fingerprint(config.image), "text_encoder": text_encoder.fingerprint(config.text)}
    check_encoders(config, made_by)
    check_encoders(config, made_by | {"image_encoder": f"{made_by['image_encoder']}-drawn"})
    check_encoders(config, made_by | {"text_encoder": "captions"})
    for side in made_by:
        with pytest.raises(ManifestError, match=f"made by the {side} other, and model"):
            check_encoders(config, made_by | {side: "other"})
    check_encoders(ModelConfig(), {"image_encoder": "pixels", "text_encoder": "whichever"})
    assert not caplog.records
    check_encoders(build(ModelConfig, {"image": {"kind": "autoencoder", "model": "/no/such"}}, "model"), made_by)
    assert "cannot be told: /no/such: not here" in caplog.text


def test_rows_are_padded_at_their_end_and_masked():
    states, mask = padded([torch.ones(2, 3), torch.ones(4, 3)])
    assert states.sum(-1).tolist() == [[3, 3, 0, 0], [3, 3, 3, 3]]
    assert mask.tolist() == [[True, True, False, False], [True] * 4]
    assert padded([torch.ones(2, 3)] * 2)[1] is None
