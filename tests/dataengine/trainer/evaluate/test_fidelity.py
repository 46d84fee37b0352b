"""PSNR and SSIM beside scikit-image's, and what they are of pictures that are known."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dataengine.trainer.evaluate.fidelity import fidelity, psnr, ssim


def pictures(count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(count, 3, 6, 8, generator=generator), (48, 64), mode="bicubic")
    original = (smooth.clamp(0, 1) * 255).byte()
    noise = torch.randn(original.shape, generator=generator) * torch.tensor([2.0, 8.0, 30.0])[:count, None, None, None]
    return original, (original + noise).clamp(0, 255).byte()


def test_they_agree_with_scikit_image():
    original, made = pictures()
    weights = np.array([0.299, 0.587, 0.114])
    for a, b, decibels, likeness in zip(original, made, psnr(original, made), ssim(original, made), strict=True):
        assert float(decibels) == pytest.approx(peak_signal_noise_ratio(a.numpy(), b.numpy()), abs=1e-6)
        grey = [np.tensordot(weights, x.numpy().astype(float), 1) / 255 for x in (a, b)]
        wanted = structural_similarity(
            *grey, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
        )
        assert float(likeness) == pytest.approx(wanted, abs=0.01)  # theirs also counts what lies at the edges


def test_a_picture_is_like_itself_and_less_like_a_noisier_one():
    original, made = pictures()
    same = fidelity(original, original)
    assert (same.psnr, same.pictures) == (100.0, 3) and same.ssim == pytest.approx(1)
    assert psnr(original, made).tolist() == sorted(psnr(original, made).tolist(), reverse=True)
    assert ssim(original, made).tolist() == sorted(ssim(original, made).tolist(), reverse=True)
