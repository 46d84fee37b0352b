import numpy as np
import pytest
import torch
from PIL import Image

from dataengine.errors import ManifestError
from dataengine.trainer.loop import train
from dataengine.trainer.sample import draw, grid, sample
from dataengine.trainer.training import Training


@pytest.fixture
def trained(tiny):
    train(tiny())
    return tiny()


def test_it_writes_a_file_a_picture_and_a_grid_and_says_in_the_file_what_was_asked(trained, tmp_path):
    files = sample(trained.out, ["red 字", "blue"], tmp_path / "drawn", count=2, steps=2, guidance=2.0, seed=7)
    assert [file.name for file in files] == ["000-0.png", "000-1.png", "001-0.png", "001-1.png", "grid.png"]
    with Image.open(files[1]) as picture:
        assert picture.size == (16, 16)
        assert (picture.text["prompt"], picture.text["seed"]) == ("red 字", "8")
    with Image.open(files[-1]) as sheet:
        assert sheet.size == (2 * 16 + 2, 2 * 16 + 2)


def test_the_same_seed_draws_the_same_picture_and_another_seed_another(trained, tmp_path):
    drawn = [
        np.asarray(Image.open(sample(trained.out, ["red"], tmp_path / str(i), steps=2, seed=seed)[0]))
        for i, seed in enumerate((0, 0, 1))
    ]
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])


def test_any_size_in_patches_can_be_drawn_and_others_are_refused(trained, tmp_path):
    files = sample(trained.out, ["red"], tmp_path, size=(12, 24), steps=1)
    assert Image.open(files[0]).size == (24, 12)
    with pytest.raises(ManifestError, match="24×13 cannot be drawn"):
        sample(trained.out, ["red"], tmp_path, size=(13, 24), steps=1)


def test_no_prompt_is_refused(trained, tmp_path):
    with pytest.raises(ManifestError, match="no prompt"):
        sample(trained.out, [], tmp_path)


def test_a_picture_does_not_depend_on_those_drawn_beside_it(trained):
    model = Training(trained).model
    with torch.no_grad():
        model.transformer.proj_out.weight.normal_(std=0.02)
    alone = draw(model, ["red"], (16, 16), trained.flow, 3, 2.0, seed=0)
    beside = draw(model, ["red", *["a far longer prompt"] * 17], (16, 16), trained.flow, 3, 2.0, seed=0)
    assert len(beside) == 18
    assert (alone[0].int() - beside[0].int()).abs().max() <= 1


def test_drawing_uses_the_averaged_weights(trained, tmp_path):
    from safetensors.torch import load_file, save_file

    newest = tmp_path / "train/checkpoints/latest"
    before = sample(newest, ["red"], tmp_path / "a", steps=2)[0].read_bytes()
    save_file({k: v + 1 for k, v in load_file(newest / "model.safetensors").items()}, newest / "model.safetensors")
    assert sample(newest, ["red"], tmp_path / "b", steps=2)[0].read_bytes() == before
    save_file({k: v + 0.1 for k, v in load_file(newest / "ema.safetensors").items()}, newest / "ema.safetensors")
    assert sample(newest, ["red"], tmp_path / "c", steps=2)[0].read_bytes() != before


def test_a_grid_has_its_pictures_row_by_row_on_white():
    pictures = torch.arange(3, dtype=torch.uint8)[:, None, None, None].expand(3, 3, 4, 6)
    sheet = np.asarray(grid(pictures, columns=2, gap=1))
    assert sheet.shape == (9, 13, 3)
    assert (sheet[0, 0, 0], sheet[0, 7, 0], sheet[5, 0, 0]) == (0, 1, 2)
    assert (sheet[5:, 7:] == 255).all() and (sheet[4] == 255).all()


def test_guidance_leads_away_from_the_negative_prompt(trained):
    model = Training(trained).model
    with torch.no_grad():
        model.transformer.proj_out.weight.normal_(std=0.02)
        for block in model.transformer.transformer_blocks:
            block.img_mod[1].bias.normal_()
            block.txt_mod[1].bias.normal_()
    plain, other, none = (
        draw(model, ["red"], (16, 16), trained.flow, 3, guidance, 0, negative=negative)
        for guidance, negative in ((3.0, ""), (3.0, "blue"), (1.0, "blue"))
    )
    assert not torch.equal(plain, other) and not torch.equal(other, none)
    assert torch.equal(none, draw(model, ["red"], (16, 16), trained.flow, 3, 1.0, 0))


def test_a_picture_can_be_drawn_by_a_solver_of_second_order(trained, tmp_path):
    drawn = [sample(trained.out, ["red"], tmp_path / s, steps=2, solver=s)[0].read_bytes() for s in ("euler", "heun")]
    assert drawn[0] != drawn[1]
