from pathlib import Path

import pytest

from dataengine.config import build, load
from dataengine.errors import ManifestError
from dataengine.trainer.config import TrainConfig, differences

MANIFESTS = sorted((Path(__file__).parents[3] / "manifests" / "train").glob("*.yaml"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_every_manifest_of_the_project_is_valid_and_follows_the_run(path):
    config = load(TrainConfig, path, variables={"RUN": "/some/run"})
    assert config.data.path == "/some/run/shards"
    assert config.out.startswith("/some/run/")


def test_the_project_has_the_quickstart_and_the_overfit_manifest():
    assert {"quickstart", "overfit"} <= {path.stem for path in MANIFESTS}


def test_an_unknown_key_is_refused_by_its_path_with_what_was_meant():
    with pytest.raises(ManifestError, match=r"model\.transformer\.layer: unknown key; did you mean 'layers'"):
        build(
            TrainConfig,
            {"name": "x", "out": "o", "data": {"path": "p"}, "model": {"transformer": {"layer": 2}}},
            "train.yaml",
        )


def test_an_aspect_that_is_none_is_refused():
    with pytest.raises(ManifestError, match="width:height"):
        build(TrainConfig, {"name": "x", "out": "o", "data": {"path": "p", "aspects": ["wide"]}}, "train.yaml")


def test_differences_name_what_decides_the_weights_and_pass_over_the_rest(tiny):
    moved = tiny(name="other", steps=99, out="elsewhere", log={"every": 7}, micro_batch=2, execution={"compile": True})
    assert differences(tiny(), moved) == []
    changed = tiny(seed=3, optimizer={"lr": 0.5})
    assert differences(tiny(), changed) == ["optimizer.lr: 0.001 → 0.5", "seed: 0 → 3"]


def test_a_batch_in_tokens_is_as_many_pictures_as_come_to_it_in_whole_lanes(tiny):
    assert tiny(batch=6).pictures == 6
    data = tiny().data.model_dump() | {"resolution": 16, "lanes": 4}  # 4 × 4 tokens of 4 × 4 pixels
    assert [tiny(batch={"tokens": tokens}, data=data).pictures for tokens in (160, 64, 127, 10)] == [8, 4, 4, 4]
