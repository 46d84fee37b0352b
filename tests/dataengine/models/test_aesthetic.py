"""Aesthetic heads in LAION's two formats give what torch gives, and nothing else is taken for one."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dataengine.errors import StageError
from dataengine.models.aesthetic import AestheticHead, missing


def mlp(dimensions: int) -> nn.Module:
    """As improved-aesthetic-predictor has it: dropouts between the layers leave gaps in their numbers."""
    sizes = [dimensions, 1024, 128, 64, 16]
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise(sizes)):
        layers += [nn.Linear(a, b)] + ([nn.Dropout(0.2)] if i < 3 else [])
    module = nn.Module()
    module.layers = nn.Sequential(*layers, nn.Linear(16, 1))
    return module


def embeddings(dimensions: int) -> torch.Tensor:
    return nn.functional.normalize(torch.randn(7, dimensions, generator=torch.Generator().manual_seed(0)), dim=-1)


@pytest.mark.parametrize("dimensions", [512, 768])
def test_a_linear_head(dimensions: int, tmp_path: Path):
    head = nn.Linear(dimensions, 1)
    torch.save(head.state_dict(), tmp_path / "head.pth")
    made = AestheticHead(str(tmp_path / "head.pth"))
    assert made.dimensions == dimensions
    found = made.score(embeddings(dimensions).numpy())
    np.testing.assert_allclose(found, head(embeddings(dimensions)).detach()[:, 0], atol=1e-5)


def test_a_head_of_five_layers(tmp_path: Path):
    head = mlp(768).eval()
    torch.save(head.state_dict(), tmp_path / "head.pth")
    found = AestheticHead(str(tmp_path / "head.pth")).score(embeddings(768).numpy())
    np.testing.assert_allclose(found, head.layers(embeddings(768)).detach()[:, 0], atol=1e-5)


def test_a_missing_file_says_where_to_get_it(tmp_path: Path):
    fault = missing(str(tmp_path / "none.pth"))
    assert fault and "none.pth" in fault.message and "https://" in fault.remedy


@pytest.mark.parametrize("content", [{"a": 1}, {"weight": torch.ones(3, 4), "bias": torch.ones(3)}, None])
def test_something_else_is_refused(content: object, tmp_path: Path):
    path = tmp_path / "head.pth"
    if content is None:
        path.write_bytes(b"not a checkpoint")
    else:
        torch.save(content, path)
    with pytest.raises(StageError, match="no aesthetic head"):
        AestheticHead(str(path))
