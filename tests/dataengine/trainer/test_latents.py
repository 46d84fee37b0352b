import logging
from contextlib import closing
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dataengine import latents, schema
from dataengine.errors import ManifestError
from dataengine.trainer.data import Batch, Reader, ReaderState
from dataengine.trainer.datasets import DataConfig

CHANNELS, FACTOR = 4, 8


def values(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(torch.bfloat16)


def latent_row(seed: int, size: tuple[int, int] = (32, 48), **changes: object) -> dict[str, object]:
    """A row as `encode` writes it, with two captions of different lengths."""
    latent = values(seed, CHANNELS, size[0] // FACTOR, size[1] // FACTOR)
    captions = []
    for variant, name in enumerate(("caption", "told")):
        states = values(1000 * variant + seed, 2 + variant + seed % 3, 6)
        stored = {"shape": list(states.shape), "states": latents.to_bytes(states)}
        captions.append({"name": name, "caption": f"{name} {seed}", **stored})
    row = {
        "sample_id": f"{seed:032x}",
        "phase": 256,
        "height": size[0],
        "width": size[1],
        "latent": {"shape": list(latent.shape), "values": latents.to_bytes(latent)},
        "captions": captions,
        "image_encoder": "vae 1",
        "text_encoder": "text 1",
        "text": [],
    }
    return row | changes


def write(path: Path, rows: list[dict[str, object]], group: int = 4, empty: torch.Tensor | None = None) -> Path:
    notes = {} if empty is None else {latents.EMPTY: latents.empty_note(empty)}
    table = pa.Table.from_pylist(rows, schema.LATENTS.with_metadata(notes))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group)
    return path


def reader(where: object, batch: int = 4, **keys: object) -> Reader:
    config = DataConfig.model_validate({"path": str(where), "shuffle": 8} | keys)
    return Reader(config, batch, 16, 0, channels=CHANNELS)


def take(count: int, source: Reader, state: ReaderState = ReaderState()) -> list[Batch]:
    with closing(source.batches(state)) as batches:
        return list(islice(batches, count))


def test_latents_come_with_the_states_of_their_captions_bit_for_bit(tmp_path):
    write(tmp_path / "a.parquet", [latent_row(seed) for seed in range(10)])
    for batch in take(5, reader(tmp_path)):
        assert batch.pixels is None and batch.latents.dtype == torch.bfloat16
        assert batch.latents.shape == (4, CHANNELS, 4, 6) and batch.size == (32, 48)
        for latent, caption, states in zip(batch.latents, batch.captions, batch.states, strict=True):
            seed = int(caption.split()[1])
            assert torch.equal(latent, values(seed, CHANNELS, 4, 6))
            assert torch.equal(states, values(seed, 2 + seed % 3, 6))


def test_buckets_are_the_sizes_that_were_encoded(tmp_path):
    write(tmp_path / "a.parquet", [latent_row(seed, (32, 48) if seed % 2 else (48, 32)) for seed in range(16)])
    batches = take(8, reader(tmp_path))
    assert {batch.size for batch in batches} == {(32, 48), (48, 32)}
    assert all(batch.latents.shape[2:] == (batch.size[0] // 8, batch.size[1] // 8) for batch in batches)


def test_one_of_the_captions_is_taken_by_weight_with_its_own_states(tmp_path):
    write(tmp_path / "a.parquet", [latent_row(seed) for seed in range(16)])
    taken = take(100, reader(tmp_path, caption={"caption": 3, "told": 1}))
    pairs = [(c, s) for batch in taken for c, s in zip(batch.captions, batch.states, strict=True)]
    assert sum(c.startswith("told") for c, _ in pairs) / len(pairs) == pytest.approx(0.25, abs=0.07)
    for caption, states in pairs:
        variant, seed = caption.startswith("told"), int(caption.split()[1])
        assert torch.equal(states, values(1000 * variant + seed, 2 + variant + seed % 3, 6))


def test_captions_without_states_are_given_as_text_alone(tmp_path):
    bare = [{"name": "caption", "caption": "read me", "shape": None, "states": None}]
    write(tmp_path / "a.parquet", [latent_row(seed, captions=bare) for seed in range(4)])
    batch = take(1, reader(tmp_path))[0]
    assert batch.states == [None] * 4 and batch.captions == ["read me"] * 4


def test_rows_without_a_caption_are_used_unconditionally_when_asked_for(tmp_path):
    rows = [latent_row(0, captions=[]), latent_row(1, captions=None), latent_row(2), latent_row(3)]
    write(tmp_path / "a.parquet", rows)
    batch = take(1, reader(tmp_path, uncaptioned="empty"))[0]
    assert sorted(batch.captions) == ["", "", "caption 2", "caption 3"]
    assert [states is None for states in batch.states] == [caption == "" for caption in batch.captions]


def test_a_latent_of_the_wrong_shape_is_passed_over_and_named(tmp_path, caplog):
    stored = latent_row(0)["latent"]
    wrong = {
        "a latent of 4 × 6 for 32 × 56 pixels": {"width": 56},
        "a latent of 4 × 6 for 64 × 96 pixels, in tokens of 16": None,  # right: a factor of 16 is one too
        r"a latent of shape [4, 4, 7] in 192 bytes": {"latent": stored | {"shape": [4, 4, 7]}},
        "no latent": {"latent": None},
        "a latent of 2 channels, where the model takes 4": {"latent": stored | {"shape": [2, 8, 6]}, "height": 64},
        "caption states of shape [3, 6] in 8 bytes": {
            "captions": [{"name": "caption", "caption": "x", "shape": [3, 6], "states": b"12345678"}]
        },
        "a latent of 4 × 6 for 40 × 60 pixels, in tokens of 16": {"height": 40, "width": 60},
    }
    rows = [latent_row(seed, **changes) for seed, changes in enumerate(wrong.values(), 10) if changes]
    write(tmp_path / "a.parquet", [*rows, *(latent_row(seed) for seed in range(4))])
    with caplog.at_level(logging.WARNING):
        batches = take(2, reader(tmp_path))
    assert [sorted(batch.captions) for batch in batches] == [[f"caption {seed}" for seed in range(4)]] * 2
    assert batches[0].state.skipped >= 3
    for message, changes in wrong.items():
        assert (message in caplog.text) == bool(changes), message


def test_reading_latents_goes_on_exactly(tmp_path):
    write(tmp_path / "a.parquet", [latent_row(seed, (32, 48) if seed % 3 else (48, 32)) for seed in range(17)])
    both = {"caption": {"caption": 1, "told": 1}}
    whole = take(12, reader(tmp_path, **both))
    for stop in (1, 5, 8):
        for one, other in zip(
            whole[stop:], take(12 - stop, reader(tmp_path, **both), whole[stop - 1].state), strict=True
        ):
            assert one.captions == other.captions and one.state == other.state
            assert torch.equal(one.latents, other.latents)
            assert all(torch.equal(a, b) for a, b in zip(one.states, other.states, strict=True))


def test_the_reader_tells_the_encoders_and_the_states_of_the_empty_caption(tmp_path):
    empty = values(7, 3, 6)
    write(tmp_path / "a.parquet", [latent_row(0)], empty=empty)
    source = reader(tmp_path)
    assert source.encoders == {"image_encoder": "vae 1", "text_encoder": "text 1"}
    assert torch.equal(source.empty, empty)


def test_latents_of_two_encoders_are_refused(tmp_path):
    write(tmp_path / "x/a.parquet", [latent_row(0)])
    write(tmp_path / "x/b.parquet", [latent_row(1, image_encoder="vae 2")])
    with pytest.raises(ManifestError, match="image_encoder vae 2, in other files vae 1"):
        reader(tmp_path)
    datasets = [{"name": name, "path": str(tmp_path / f"x/{name}.parquet")} for name in "ab"]
    with pytest.raises(ManifestError, match="'b' has latents by image_encoder vae 2, another dataset by vae 1"):
        reader(tmp_path, path=None, datasets=datasets)


def test_latents_and_pictures_are_not_mixed(tmp_path, shards):
    write(tmp_path / "latents/a.parquet", [latent_row(0)])
    datasets = [{"name": "a", "path": str(shards)}, {"name": "b", "path": str(tmp_path / "latents")}]
    with pytest.raises(ManifestError, match="'a' holds pictures, 'b' holds latents"):
        reader(tmp_path, path=None, datasets=datasets)
    write(shards / "256/1x1/shard-00009.parquet", [latent_row(0)])
    with pytest.raises(ManifestError, match=r"shard-00009\.parquet holds latents, and other files .* pictures"):
        reader(shards)


def test_bands_and_phases_select_latents_as_they_do_pictures(tmp_path):
    word = {"content": "ab", "characters": [{"text": "a"}, {"text": "b"}], "words": [{"text": "ab"}]}
    rows = [latent_row(seed, text=[word] if seed % 2 else [], phase=256 + seed % 4) for seed in range(8)]
    write(tmp_path / "a.parquet", rows)
    batch = take(1, reader(tmp_path, batch=2, bands=["word"], phase=257))[0]
    assert sorted(batch.captions) == ["caption 1", "caption 5"]


def test_a_missing_column_is_named(tmp_path):
    table = pa.Table.from_pylist([latent_row(0)], schema.LATENTS).drop_columns(["captions"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ManifestError, match=r"a\.parquet: no column 'captions'; there are: sample_id"):
        reader(tmp_path)
