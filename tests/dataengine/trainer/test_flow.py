import math

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.training_utils import compute_density_for_timestep_sampling, compute_loss_weighting_for_sd3

from dataengine.trainer.flow import (
    FlowConfig,
    chance,
    euler,
    flow_loss,
    guide,
    heun,
    loss_weight,
    noised,
    shift,
    sigma_schedule,
    training_sigma,
    velocity,
)

RELEASED = FlowConfig()


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    clean, noise = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    return clean, noise


def test_level_zero_is_the_picture_and_level_one_the_noise(pair):
    clean, noise = pair
    assert torch.equal(noised(clean, noise, torch.zeros(3)), clean)
    assert torch.equal(noised(clean, noise, torch.ones(3)), noise)


def test_the_velocity_is_the_derivative_of_the_path(pair):
    clean, noise = pair
    low, high = torch.full((3,), 0.3), torch.full((3,), 0.5)
    slope = (noised(clean, noise, high) - noised(clean, noise, low)) / 0.2
    torch.testing.assert_close(slope, velocity(clean, noise), rtol=1e-4, atol=1e-4)


def test_each_sample_of_a_batch_has_its_own_level(pair):
    clean, noise = pair
    mixed = noised(clean, noise, torch.tensor([0.0, 1.0, 0.5]))
    assert torch.equal(mixed[0], clean[0]) and torch.equal(mixed[1], noise[1])


def test_the_loss_is_zero_for_the_true_velocity_only_and_one_number_a_sample(pair):
    clean, noise = pair
    assert flow_loss(noise - clean, clean, noise).tolist() == [0, 0, 0]
    wrong = noise - clean
    wrong[1] += 0.5
    assert flow_loss(wrong, clean, noise).tolist() == pytest.approx([0, 0.25, 0], rel=1e-5)


@pytest.mark.parametrize(("tokens", "mu"), [(256, 0.5), (4096, 0.6935), (6889, 0.8344), (8192, 0.9)])
def test_the_shift_grows_with_the_picture_as_in_the_released_scheduler(tokens, mu):
    assert RELEASED.exponent(tokens) == pytest.approx(mu, abs=1e-4)


def test_the_shift_multiplies_the_odds_and_keeps_the_ends():
    sigma = torch.tensor([0.0, 0.2, 0.5, 1.0])
    moved = shift(sigma, 0.7)
    assert moved[0] == 0 and moved[3] == 1
    odds = moved[1:3] / (1 - moved[1:3]) / (sigma[1:3] / (1 - sigma[1:3]))
    torch.testing.assert_close(odds, torch.full((2,), math.exp(0.7)))


@pytest.mark.parametrize("tokens", [256, 4096, 6889])
@pytest.mark.parametrize("steps", [4, 50])
def test_the_schedule_equals_the_released_schedulers(steps, tokens):
    theirs = FlowMatchEulerDiscreteScheduler(
        base_image_seq_len=256,
        max_image_seq_len=8192,
        base_shift=0.5,
        max_shift=0.9,
        shift_terminal=0.02,
        use_dynamic_shifting=True,
        time_shift_type="exponential",
    )
    grid = [1 - i * (1 - 1 / steps) / (steps - 1) for i in range(steps)]
    theirs.set_timesteps(sigmas=grid, mu=RELEASED.exponent(tokens))
    torch.testing.assert_close(sigma_schedule(steps, tokens, RELEASED), theirs.sigmas, rtol=1e-5, atol=1e-6)


def test_one_step_goes_from_noise_to_picture_at_once():
    assert sigma_schedule(1, 256, RELEASED).tolist() == [1.0, 0.0]


UNIFORM = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000


def levels(**config: object) -> torch.Tensor:
    return training_sigma(UNIFORM, [256] * len(UNIFORM), FlowConfig(**config))


def test_levels_are_logit_normal_about_the_shifted_centre():
    logits = torch.logit(levels().double())
    assert logits.mean().item() == pytest.approx(0.5, abs=1e-3)  # the shift adds mu to the logit
    assert logits.std().item() == pytest.approx(1.0, abs=1e-3)
    moved = torch.logit(levels(mean=-1.0, deviation=0.5, shift=0.0).double())
    assert (moved.mean().item(), moved.std().item()) == pytest.approx((-1.0, 0.5), abs=1e-3)


def test_levels_are_uniform_when_asked():
    torch.testing.assert_close(levels(timesteps="uniform", shift=0.0), UNIFORM.float())


@pytest.mark.parametrize("scale", [-1.0, 0.8, 1.29])
def test_levels_of_the_mode_are_those_of_diffusers(scale):
    theirs = compute_density_for_timestep_sampling(
        "mode", 20_000, mode_scale=scale, generator=torch.Generator().manual_seed(3)
    )
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(3))
    ours = training_sigma(uniform, [256] * 20_000, FlowConfig(timesteps="mode", mode_scale=scale, shift=0.0))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert ours.min() >= 0 and ours.max() <= 1


def test_each_picture_of_a_batch_is_shifted_for_its_own_size():
    half = torch.full((3,), 0.5)
    sigma = training_sigma(half, [256, 4096, 8192], FlowConfig(timesteps="uniform"))
    torch.testing.assert_close(torch.logit(sigma), torch.tensor([0.5, 0.6935, 0.9]), rtol=1e-4, atol=1e-4)
    fixed = training_sigma(half, [256, 4096, 8192], FlowConfig(timesteps="uniform", shift=0.3))
    torch.testing.assert_close(torch.logit(fixed), torch.full((3,), 0.3))


def test_the_ends_of_chance_are_levels_too():
    for timesteps in ("logit-normal", "uniform", "mode"):
        ends = training_sigma(torch.tensor([0.0, 1 - 1e-16]), [256] * 2, FlowConfig(timesteps=timesteps))
        assert sorted(ends.tolist()) == [0.0, 1.0]


def test_chance_belongs_to_seed_step_and_place_alone():
    def drawn(*of: int) -> float:
        return chance(*of).random()

    assert drawn(0, 1, 2) == drawn(0, 1, 2)
    assert len({drawn(*of) for of in ((0, 1, 2), (1, 1, 2), (0, 2, 2), (0, 1, 3), (0, 12, 3), (0, 1, 23))}) == 6


def test_the_cosmap_weight_is_that_of_diffusers():
    sigma = torch.linspace(0, 1, 11)
    torch.testing.assert_close(
        loss_weight(sigma, FlowConfig(weighting="cosmap")), compute_loss_weighting_for_sd3("cosmap", sigma)
    )
    assert loss_weight(sigma, FlowConfig()).tolist() == [1.0] * 11


def test_min_snr_is_the_capped_ratio_on_the_error_of_the_clean_picture(pair):
    clean, noise = pair
    sigma = torch.tensor([0.1, 0.5, 0.9])
    predicted = noise - clean + torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    estimate = noised(clean, noise, sigma) - sigma[:, None, None] * predicted
    ratio = ((1 - sigma) / sigma) ** 2
    expected = ratio.clamp(max=5) * (estimate - clean).square().flatten(1).mean(1)
    weighted = loss_weight(sigma, FlowConfig(weighting="min-snr", snr_cap=5)) * flow_loss(predicted, clean, noise)
    torch.testing.assert_close(weighted, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 3, 20])
def test_euler_follows_a_straight_path_exactly(pair, steps):
    clean, noise = pair
    drawn = euler(lambda x, sigma: noise - clean, noise, sigma_schedule(steps, 256, RELEASED))
    torch.testing.assert_close(drawn, clean, rtol=1e-4, atol=1e-5)


def test_euler_asks_at_the_scheduled_levels(pair):
    clean, noise = pair
    asked: list[float] = []

    def predict(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        torch.testing.assert_close(x, noised(clean, noise, sigma), rtol=1e-4, atol=1e-5)
        asked.append(sigma[0].item())
        return noise - clean

    sigmas = sigma_schedule(7, 256, RELEASED)
    euler(predict, noise, sigmas)
    assert asked == sigmas[:-1].tolist()


def test_guidance_turns_the_velocity_but_keeps_each_tokens_length(pair):
    positive, negative = pair
    guided = guide(positive, negative, 4.0)
    torch.testing.assert_close(guided.norm(dim=-1), positive.norm(dim=-1))
    straight = negative + 4.0 * (positive - negative)
    torch.testing.assert_close(torch.cosine_similarity(guided, straight, dim=-1), torch.ones(3, 5))
    torch.testing.assert_close(guide(positive, negative, 1.0), positive)


def test_heun_is_of_second_order_and_euler_of_first():
    """On dx/dσ = x, whose end is known: half the step makes a half, and a quarter, of the error."""

    def error(solve, steps):
        sigmas = torch.linspace(1, 0.2, steps + 1)
        end = solve(lambda x, sigma: x, torch.ones(1, 1, 1), sigmas)
        return abs(float(end) - math.exp(-0.8))

    assert error(euler, 20) / error(euler, 40) == pytest.approx(2, rel=0.1)
    assert error(heun, 20) / error(heun, 40) == pytest.approx(4, rel=0.15)


def test_heun_asks_nothing_of_a_picture_without_noise():
    asked = []
    heun(lambda x, sigma: asked.append(float(sigma[0])) or x, torch.ones(1, 1, 1), torch.tensor([1.0, 0.5, 0.0]))
    assert asked == [1.0, 0.5, 0.5]
