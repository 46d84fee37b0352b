import pytest
import torch
from torch import nn

from dataengine.trainer.optimizer import Muon, OptimizerConfig, is_hidden_matrix, newton_schulz, optimizers
from dataengine.trainer.text_to_image import TextToImage


def test_biases_and_norms_do_not_decay(tiny):
    model = TextToImage(tiny().model)
    (adamw,) = optimizers(model, OptimizerConfig(weight_decay=0.1))
    decayed, kept = sorted(adamw.param_groups, key=lambda group: -group["weight_decay"])
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert all(p.ndim >= 2 for p in decayed["params"]) and all(p.ndim == 1 for p in kept["params"])
    assert len(decayed["params"]) + len(kept["params"]) == len(list(model.parameters()))


def test_frozen_weights_are_left_out(tiny):
    model = TextToImage(tiny().model)
    model.text.requires_grad_(False)
    held = {id(p) for each in optimizers(model, OptimizerConfig()) for g in each.param_groups for p in g["params"]}
    assert held == {id(p) for p in model.transformer.parameters()}


def test_muon_takes_the_matrices_of_attention_and_mlps_and_adamw_the_rest(tiny):
    model = TextToImage(tiny().model)
    muon, adamw = optimizers(model, OptimizerConfig(kind="muon"))
    names = {id(p): name for name, p in model.named_parameters()}
    hidden = {names[id(p)] for group in muon.param_groups for p in group["params"]}
    rest = {names[id(p)] for group in adamw.param_groups for p in group["params"]}
    assert not hidden & rest and hidden | rest == set(names.values())
    assert {name.rsplit(".", 2)[-2] for name in hidden if "transformer_blocks.0.attn" in name} == {
        *("to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "0", "to_add_out"),
    }
    assert not any("mod" in name or "img_in" in name or "proj_out" in name or "embedding" in name for name in hidden)


@pytest.mark.parametrize("shape", [(24, 24), (12, 40), (40, 12)])
def test_newton_schulz_keeps_the_directions_of_a_matrix_and_evens_their_lengths(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 1e-3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    turned = left.T @ newton_schulz(matrix) @ right.T
    assert (turned - turned.diag().diag()).abs().max() < 0.05
    assert turned.diag().min() > 0.6 and turned.diag().max() < 1.3


def test_a_step_of_muon_is_as_large_as_one_of_adamw():
    """Root mean square near 0.2 times the rate, whatever the shape and the size of the gradient."""
    for shape in ((64, 64), (64, 256)):
        weight = nn.Parameter(torch.zeros(shape))
        muon = Muon([weight], lr=0.1, momentum=0.95, weight_decay=0.0)
        weight.grad = 1e-4 * torch.randn(shape, generator=torch.Generator().manual_seed(1))
        muon.step()
        assert weight.square().mean().sqrt().item() == pytest.approx(0.2 * 0.1, rel=0.2)


def test_muon_descends_and_decays():
    target = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    weight = nn.Parameter(torch.zeros(8, 8))
    muon = Muon([weight], lr=0.2, momentum=0.9, weight_decay=0.0)
    losses = []
    for _ in range(60):
        loss = (weight - target).square().mean()
        losses.append(loss.item())
        loss.backward()
        muon.step()
        muon.zero_grad()
    assert losses[-1] < 0.02 * losses[0]

    still = nn.Parameter(torch.ones(4, 4))
    still.grad = torch.zeros(4, 4)
    Muon([still], lr=0.1, momentum=0.9, weight_decay=0.5).step()
    torch.testing.assert_close(still.detach(), torch.full((4, 4), 0.95))


def test_what_is_hidden_is_told_by_name_and_shape():
    matrix, vector = torch.zeros(2, 2), torch.zeros(2)
    assert is_hidden_matrix("transformer.transformer_blocks.3.attn.to_q.weight", matrix)
    assert is_hidden_matrix("text.layers.0.qkv.weight", matrix)
    assert not is_hidden_matrix("transformer.transformer_blocks.3.attn.to_q.bias", vector)
    assert not is_hidden_matrix("transformer.transformer_blocks.3.img_mod.1.weight", matrix)
    assert not is_hidden_matrix("transformer.proj_out.weight", matrix)
