"""Phases that follow each other: what each replaces, when it ends, and that going on within one is exact."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import ValidationError

from dataengine.config import build
from dataengine.errors import ManifestError
from dataengine.trainer.config import TrainConfig, differences
from dataengine.trainer.curriculum import PhaseConfig, Progress
from dataengine.trainer.loop import train
from dataengine.trainer.metrics import StepReport, read_metrics

PHASES = (
    {"name": "small", "steps": 4, "batch": 2, "flow": {"shift": 0.3}},
    {"name": "wide", "steps": 3, "data": {"resolution": 24, "aspects": ["3:2"]}, "optimizer": {"lr": 0.01}},
    {"name": "all", "data": {"resolution": 24}, "micro_batch": 3, "caption_dropout": 0.0},
)


@pytest.fixture
def phased(tiny) -> Callable[..., TrainConfig]:
    def make(**changes: object) -> TrainConfig:
        return tiny(**({"steps": 12, "curriculum": PHASES} | changes))

    return make


def test_a_phase_replaces_what_it_says_and_leaves_the_rest(phased):
    small, wide, rest = (phased().in_phase(number) for number in range(3))
    assert (small.pictures, small.flow.shift, small.data.resolution) == (2, 0.3, 16)
    assert (wide.pictures, wide.flow.shift, wide.data.resolution) == (4, None, 24)
    assert (wide.data.aspects, wide.data.path, wide.optimizer.lr) == (("3:2",), phased().data.path, 0.01)
    assert (rest.micro_batch, rest.caption_dropout, rest.optimizer.lr) == (3, 0.0, 0.001)
    assert rest.data.aspects == phased().data.aspects and rest.curriculum == ()


def test_what_a_phase_says_of_data_holds_for_every_dataset(tiny):
    data = {"resolution": 16, "datasets": [{"name": "a", "path": "x"}, {"name": "b", "path": "y", "weight": 2.0}]}
    other = [{"name": "c", "path": "z", "resolution": 8}, {"name": "d", "path": "z"}]
    phases = [
        {"name": "one", "steps": 2, "data": {"resolution": 32, "bands": ["word"]}},
        {"name": "two", "steps": 2, "data": {"datasets": other}},
        {"name": "three", "data": {"path": "w"}},
    ]
    config = tiny(data=data, curriculum=phases)
    one, two, three = (config.in_phase(number).data for number in range(3))
    assert [(s.name, s.resolution, s.bands, s.weight) for s in one.sources] == [
        ("a", 32, ("word",), 1.0),
        ("b", 32, ("word",), 2.0),
    ]
    assert [(s.name, s.path, s.resolution) for s in two.sources] == [("c", "z", 8), ("d", "z", 16)]
    assert [(s.path, s.resolution) for s in three.sources] == [("w", 16)]
    again = build(TrainConfig, config.model_dump(mode="json"), "state.json")
    assert [again.in_phase(number) for number in range(3)] == [config.in_phase(number) for number in range(3)]


def test_a_wrong_key_in_a_phase_is_refused_with_the_phases_name(phased):
    with pytest.raises(ManifestError, match=r"curriculum\.small: .*\n.*data\.resolutoin: .*did you mean 'resolution'"):
        phased(curriculum=[{"name": "small", "steps": 2, "data": {"resolutoin": 8}}, {"name": "rest"}])
    with pytest.raises(ValidationError, match="betas"):
        phased(curriculum=[{"name": "small", "steps": 2, "optimizer": {"betas": 1}}, {"name": "rest"}])


@pytest.mark.parametrize(
    ("curriculum", "complaint"),
    [
        ([{"name": "a"}, {"name": "b"}], r"a: every phase but the last needs `steps`"),
        ([{"name": "a", "steps": 3}, {"name": "b", "steps": 3}], "b: every phase but the last"),
        ([{"name": "a", "steps": 3}, {"name": "b", "until": {"loss_below": 1}}], "b: every phase but the last"),
        ([{"name": "a", "steps": 12}, {"name": "b"}], "12 steps may be taken before its last phase"),
        ([{"name": "a", "steps": 1}, {"name": "a"}], "two phases are called 'a'"),
    ],
)
def test_phases_that_do_not_add_up_are_refused(phased, curriculum, complaint):
    with pytest.raises(ValidationError, match=complaint):
        phased(curriculum=curriculum)


def test_a_phase_ends_when_its_mean_loss_has_fallen_or_at_its_last_step():
    phases = [PhaseConfig(name="a", steps=50, until={"loss_below": 1.0, "over": 4}), PhaseConfig(name="b")]
    progress, seen = Progress(), []
    for loss in [3.0, 0.1, 0.1, 0.9, 0.9, 0.9, 9.0]:
        progress = progress.after(loss, phases)
        seen.append((progress.phase, progress.steps))
    # the mean of the first four is 1.025; then (3 · 1.025 + 0.9) / 4 = 0.99
    assert seen == [(0, 1), (0, 2), (0, 3), (0, 4), (1, 0), (1, 1), (1, 2)]

    progress = Progress()
    for _ in range(49):
        progress = progress.after(2.0, phases)
    assert progress.phase == 0
    assert progress.after(2.0, phases) == Progress(1)


def test_a_loss_that_is_none_moves_no_mean():
    phases = [PhaseConfig(name="a", steps=50, until={"loss_below": 1.0, "over": 2}), PhaseConfig(name="b")]
    progress = Progress().after(float("nan"), phases).after(3.0, phases).after(float("inf"), phases)
    assert (progress.steps, progress.loss) == (3, 3.0)


def test_phases_follow_each_other_and_going_on_within_one_is_exact(phased, tmp_path):
    """Interrupted after each number of steps that matters: within a phase, at its end, and in the next."""

    def run(out: str, *stops: int) -> tuple[list[tuple[str, float]], Path]:
        reports: list[StepReport] = []
        for stop in stops:
            config = phased(out=str(tmp_path / out), checkpoint={"every": 1, "keep": 20}, log={"every": 1})

            def step(report: StepReport, stop: int = stop) -> None:
                reports.append(report)
                if report.step == stop:
                    raise KeyboardInterrupt

            with suppress(KeyboardInterrupt):
                train(config, step)
        return [(report.phase, report.loss) for report in reports], tmp_path / out

    straight, out = run("straight", 99)
    assert [phase for phase, _ in straight] == ["small"] * 4 + ["wide"] * 3 + ["all"] * 5
    assert [line["phase"] for line in read_metrics(out / "metrics.jsonl")] == [phase for phase, _ in straight]
    assert run("broken", 2, 4, 6, 7, 9, 99)[0] == straight


def test_phases_to_come_may_be_planned_anew_and_those_begun_may_not(phased):
    other = [*PHASES[:2], {"name": "later", "data": {"resolution": 8}}]
    assert differences(phased(), phased(curriculum=other), begun=1) == []
    assert "curriculum.all.data.resolution: 24 → absent" in differences(phased(), phased(curriculum=other), begun=2)
    longer = [PHASES[0] | {"steps": 5}, *PHASES[1:]]
    assert differences(phased(), phased(curriculum=longer)) == ["curriculum.small.steps: 4 → 5"]
