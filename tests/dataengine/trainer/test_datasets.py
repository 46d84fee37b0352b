from collections import Counter

import pytest

from dataengine.config import build
from dataengine.errors import ManifestError
from dataengine.trainer.datasets import DataConfig, Lots, Mixture, ever_used, weights_at


def mixed(*weights: object, **keys: object) -> DataConfig:
    datasets = [{"name": f"d{at}", "path": f"p{at}", "weight": weight} for at, weight in enumerate(weights)]
    return DataConfig.model_validate({"datasets": datasets} | keys)


def test_a_path_is_the_short_form_of_one_dataset():
    config = DataConfig(path="here", phase=256, caption="alt")
    (only,) = config.sources
    assert (only.name, only.path, only.phase, only.caption, only.weight) == ("data", "here", 256, "alt", 1.0)


def test_what_a_dataset_leaves_out_is_as_data_has_it_also_after_it_was_written_down():
    datasets = [{"name": "a", "path": "p"}, {"name": "b", "path": "q", "phase": 640, "bands": ["word"]}]
    config = DataConfig.model_validate({"datasets": datasets, "phase": 256, "uncaptioned": "empty"})
    assert [(s.phase, s.uncaptioned, s.bands) for s in config.sources] == [
        (256, "empty", None),
        (640, "empty", ("word",)),
    ]
    assert DataConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "give either `path`, or `datasets`"),
        ({"path": "x", "datasets": [{"name": "a", "path": "y"}]}, "give either `path`, or `datasets`"),
        ({"datasets": [{"name": "a", "path": "x"}, {"name": "a", "path": "y"}]}, "two datasets are called 'a'"),
        ({"datasets": [{"name": "a", "path": "x", "weight": 0}]}, "at step 0 no dataset has a weight above 0"),
        ({"datasets": [{"name": "a", "path": "x", "weight": [[0, 1], [9, 0]]}]}, "at step 9 no dataset has a weight"),
        ({"datasets": [{"name": "a", "path": "x", "weight": [[9, 1], [0, 1]]}]}, "points .* with rising steps"),
        ({"datasets": [{"name": "a", "path": "x", "weight": -1}]}, "a weight of 0 or more"),
        ({"datasets": [{"name": "a", "path": "x", "wieght": 1}]}, r"datasets\.0\.wieght: unknown key; .* 'weight'"),
        ({"datasets": [{"name": "a/b", "path": "x"}]}, r"datasets\.0\.name"),
        ({"path": "x", "bands": []}, "at least one band"),
        ({"path": "x", "bands": ["sentence"]}, "'none', 'character', 'word', 'line', 'paragraph' or 'page'"),
        ({"path": "x", "grows": True, "limit": 5}, "`limit` or `grows`"),
    ],
)
def test_what_cannot_be_meant_is_refused(data, message):
    with pytest.raises(ManifestError, match=message):
        build(DataConfig, data, "train.yaml")


def test_weights_run_straight_between_their_points_and_are_level_outside():
    config = mixed([[10, 0], [20, 4]], 2)
    assert [weights_at(config.sources, step).tolist() for step in (0, 10, 15, 20, 99)] == [
        [0, 2],
        [0, 2],
        [2, 2],
        [4, 2],
        [4, 2],
    ]


def test_rows_are_from_the_datasets_by_their_weights_at_the_step():
    mixture = Mixture(mixed([[0, 0], [1000, 3]], 1).sources, 100, seed=0, lane=0)
    drawn = [mixture[row] for row in range(200_000)]
    assert drawn[:2000].count(0) / 2000 == pytest.approx(0.03, abs=0.02)
    assert drawn[-50_000:].count(0) / 50_000 == pytest.approx(0.75, abs=0.01)
    at_500 = drawn[49_000:51_000]
    assert at_500.count(0) / 2000 == pytest.approx(0.6, abs=0.05)


def test_a_rows_dataset_is_a_function_of_its_number_the_seed_and_the_lane():
    sources = mixed(1, 1).sources
    one, again = Mixture(sources, 4, 5, 2), Mixture(sources, 4, 5, 2)
    numbers = [9000, 3, 4096, 4095, 3, 0]
    assert [one[n] for n in numbers] == [again[n] for n in reversed(list(reversed(numbers)))]
    whole = [one[n] for n in range(200)]
    assert whole != [Mixture(sources, 4, 6, 2)[n] for n in range(200)]
    assert whole != [Mixture(sources, 4, 5, 3)[n] for n in range(200)]


def test_lots_of_one_purpose_say_nothing_of_anothers():
    mixtures, captions = Lots(0, 0, 0), Lots(0, 0, 1)
    pairs = Counter((mixtures[n] < 0.5, captions[n] < 0.5) for n in range(4000))
    assert all(count / 4000 == pytest.approx(0.25, abs=0.03) for count in pairs.values())


def test_a_dataset_without_a_weight_need_not_be_there():
    config = mixed(0, 1, [[0, 0], [5, 1]])
    assert [dataset.name for dataset in ever_used(config.sources)] == ["d1", "d2"]


def test_a_phase_reads_the_same_datasets_otherwise():
    config = mixed(1, 2, phase=256)
    phase = config.altered({"d1": 5}, bands=("line",), resolution=640)
    (left,) = phase.sources
    assert (left.name, left.weight, left.bands, left.resolution, left.phase) == ("d1", 5, ("line",), 640, 256)
    assert [source.weight for source in config.altered(phase=640).sources] == [1, 2]
    assert DataConfig(path="x").altered(bands=("word",)).sources[0].bands == ("word",)
    with pytest.raises(ValueError, match="no dataset 'other'; there are: d0, d1"):
        config.altered({"other": 1})
