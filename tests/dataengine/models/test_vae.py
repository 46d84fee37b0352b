"""Small autoencoders beside what diffusers' pipelines do with them."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderKLQwenImage, QwenImageEditPipeline, QwenImagePipeline

from dataengine.errors import StageError
from dataengine.models import vae
from dataengine.models.vae import AutoencoderConfig, PixelsConfig
from dataengine.trainer.patchify import patchify, unpatchify

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def film(small_vae: Path) -> AutoencoderConfig:
    return AutoencoderConfig(model=str(small_vae))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> AutoencoderConfig:
    folder = tmp_path_factory.mktemp("plain")
    torch.manual_seed(0)
    AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=8,
        latent_channels=4,
        scaling_factor=0.36,
        shift_factor=0.12,
    ).save_pretrained(folder / "vae")
    return AutoencoderConfig(model=str(folder), channels=4, factor=2)


@pytest.fixture
def signal() -> torch.Tensor:
    return torch.rand(2, 3, 48, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.no_grad()
def test_latents_and_tokens_are_those_of_the_released_pipelines(film, signal):
    latents = vae.load(film, CPU).encode(signal)
    reference = AutoencoderKLQwenImage.from_pretrained(film.model)
    edit = QwenImageEditPipeline(
        vae=reference, scheduler=None, text_encoder=None, tokenizer=None, processor=None, transformer=None
    )
    wanted = edit._encode_vae_image(signal.unsqueeze(2), generator=None)
    torch.testing.assert_close(latents, wanted.squeeze(2), rtol=1e-5, atol=1e-5)
    packed = QwenImagePipeline._pack_latents(wanted, 2, 16, 6, 4)
    torch.testing.assert_close(patchify(latents, film.patch), packed, rtol=1e-5, atol=1e-5)
    unpacked = QwenImagePipeline._unpack_latents(packed, 48, 32, 8).squeeze(2)
    assert torch.equal(unpatchify(packed, (6, 4), film.patch), unpacked)


@torch.no_grad()
def test_drawn_latents_are_decoded_as_the_released_pipeline_does(film):
    latents = torch.randn(2, 16, 6, 4, generator=torch.Generator().manual_seed(2))
    reference = AutoencoderKLQwenImage.from_pretrained(film.model)
    mean, deviation = (
        torch.tensor(values).view(1, 16, 1, 1, 1)
        for values in (reference.config.latents_mean, reference.config.latents_std)
    )
    wanted = reference.decode(latents.unsqueeze(2) * deviation + mean).sample.squeeze(2)
    torch.testing.assert_close(vae.load(film, CPU).decode(latents), wanted, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_plain_autoencoder_in_a_pipelines_folder_is_shifted_and_scaled(plain, signal):
    latents = vae.load(plain, CPU).encode(signal)
    reference = AutoencoderKL.from_pretrained(plain.model, subfolder="vae")
    torch.testing.assert_close(latents, (reference.encode(signal).latent_dist.mode() - 0.12) * 0.36)
    torch.testing.assert_close(
        vae.load(plain, CPU).decode(latents), reference.decode(latents / 0.36 + 0.12).sample, rtol=1e-5, atol=1e-5
    )


def test_a_draw_depends_on_its_seed_alone(film, signal):
    encode = vae.load(film, CPU).encode

    def seeded(*seeds):
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    both = encode(signal, seeded(1, 2))
    torch.testing.assert_close(encode(signal[1:], seeded(2))[0], both[1], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(encode(signal[1:], seeded(3))[0], both[1], atol=1e-3)
    assert not torch.allclose(encode(signal), both, atol=1e-3)


def test_pixels_need_no_weights_and_stay_as_they_are(signal):
    assert torch.equal(vae.load(PixelsConfig(), CPU).encode(signal), signal)
    assert vae.fingerprint(PixelsConfig(patch=4)) == vae.fingerprint(PixelsConfig(patch=8))


def test_latents_of_another_shape_than_configured_are_refused(plain):
    wrong = plain.model_copy(update={"channels": 16, "factor": 8})
    with pytest.raises(StageError, match=r"4 channels and a factor of 2.*\n.*`image.channels` to 4"):
        vae.load(wrong, CPU)


def test_weights_that_are_not_here_are_named_with_what_to_fetch(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(StageError, match=r"Qwen/Qwen-Image are not here.*\n.*hf download Qwen/Qwen-Image"):
        vae.load(AutoencoderConfig(), CPU)


def test_a_file_that_is_no_model_is_named(tmp_path):
    with pytest.raises(StageError, match="cannot be loaded"):
        vae.load(AutoencoderConfig(model=str(tmp_path)), CPU)
