"""A small Qwen2.5-VL that knows two colours."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from dataengine.models.captioner.answer import question
from tests.chat_server import GOOD

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
CHAT = """{% for message in messages %}<|im_start|>{{ message.role }}
{% for part in message.content %}{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{
part.text }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def square(colour: str) -> np.ndarray:
    return np.asarray(Image.new("RGB", (56, 56), colour))


def saying(colour: str) -> str:
    return json.dumps({**GOOD, "Caption": f"a {colour} square", "Visible Text": []})


def make(folder: Path, taught: bool = True) -> None:
    """A Qwen2.5-VL of 64 dimensions that was taught to tell red from blue, in a few seconds, and to say so in JSON; a
    green square it answers with words. Or one that was taught nothing, at once."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        PreTrainedTokenizerFast,
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    answers = {"red": saying("red"), "blue": saying("blue"), "lime": "It is green."}
    letters = Tokenizer(models.BPE())
    letters.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    letters.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=[*SPECIAL, "<|video_pad|>"], initial_alphabet=alphabet)
    letters.train_from_iterator([question(None), *answers.values()], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=letters, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.image_token, tokenizer.video_token = "<|image_pad|>", "<|video_pad|>"
    process = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=56 * 56),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=CHAT,
    )
    process.save_pretrained(folder)

    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in (*SPECIAL, "<|video_pad|>")}
    ends = {"eos_token_id": ids["<|im_end|>"], "pad_token_id": ids["<|endoftext|>"]}
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    rotary = {"type": "mrope", "mrope_section": [2, 3, 3]}
    text = {**sizes, "num_key_value_heads": 2, "vocab_size": len(tokenizer), "rope_scaling": rotary, **ends}
    vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
    marks = {f"{kind}_token_id": ids[f"<|{kind}_pad|>"] for kind in ("image", "video")}
    marks |= {f"vision_{side}_token_id": ids[f"<|vision_{side}|>"] for side in ("start", "end")}
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(
            text_config=text, vision_config={**vision, "fullatt_block_indexes": [0], "window_size": 56}, **marks
        )
    )
    model.generation_config.update(**ends)
    if taught:
        teach(model, process, answers, ids)
    model.save_pretrained(folder)


def teach(model, process, answers: dict[str, str], ids: dict[str, int]) -> None:
    """Until it gives the answer to the square of each colour."""
    import torch

    talks = []
    for colour, answer in answers.items():
        asked = [{"type": "image", "image": Image.fromarray(square(colour))}, {"type": "text", "text": question(None)}]
        replied = [{"type": "text", "text": answer}]
        talks.append([{"role": "user", "content": asked}, {"role": "assistant", "content": replied}])
    batch = process.apply_chat_template(
        talks, tokenize=True, return_dict=True, return_tensors="pt", processor_kwargs={"padding": True}
    )
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    for row in labels:
        row[: (row == ids["<|im_start|>"]).nonzero()[-1] + 2] = -100
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for matrices this small more take ten times as long where cores are busy
    for _ in range(400):
        loss = model(**batch, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.01:
            break
    torch.set_num_threads(threads)
