import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dataengine.trainer.text import START, ByteEncoder, TextConfig, clipped_bytes, tokenize

CONFIG = TextConfig(width=32, layers=2, heads=4, max_bytes=24)


@pytest.fixture
def encoder() -> ByteEncoder:
    torch.manual_seed(0)
    return ByteEncoder(CONFIG)


@given(st.text(max_size=30), st.integers(0, 20))
def test_a_caption_is_cut_to_a_prefix_of_whole_characters(caption, limit):
    kept = clipped_bytes(caption, limit)
    assert len(kept) <= limit
    assert caption.startswith(kept.decode("utf-8"))
    assert len(caption.encode()) <= limit or len(kept) > limit - 4


def test_tokens_are_a_start_and_the_bytes_padded_at_the_end():
    tokens, mask = tokenize(["é", "abc", ""], max_bytes=24)
    assert tokens.tolist() == [[START, 0xC3, 0xA9, 0], [START, 97, 98, 99], [START, 0, 0, 0]]
    assert mask.sum(1).tolist() == [3, 4, 1]


def test_a_lone_surrogate_from_foreign_data_does_not_stop_training():
    assert clipped_bytes("a\ud800b", 10) == b"a?b"


@torch.no_grad()
def test_a_caption_is_encoded_the_same_whatever_stands_beside_it(encoder):
    captions = ["red", "a long caption 字", ""]
    states, mask = encoder(captions)
    for index, caption in enumerate(captions):
        alone, alone_mask = encoder([caption])
        assert alone_mask is None
        torch.testing.assert_close(states[index, mask[index]], alone[0], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_order_of_letters_matters(encoder):
    states, mask = encoder(["abc", "cba"])
    assert mask is None
    assert not torch.allclose(states[0].mean(0), states[1].mean(0), atol=1e-3)


def test_every_parameter_gets_a_gradient(encoder):
    states, _ = encoder(["abc", "defg"])
    (states * torch.randn_like(states)).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad.any(), name


def test_a_width_that_heads_cannot_share_is_refused():
    with pytest.raises(ValidationError, match="multiple of 2 × heads"):
        TextConfig(width=30, heads=4)
