"""A real HTTP server that speaks the chat completion protocol and misbehaves to order, and a small Qwen2.5-VL."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dataengine.models.captioner.answer import question

GOOD = {
    "Caption": "A red sign that says “SALE” on a white wall.",
    "Short Caption": "A red sign on a wall.",
    "Visible Text": ["SALE", "50 %"],
    "Image Type": "photograph",
    "Image Style": "realistic",
    "Watermark List": [],
    "Abnormal Element": "no",
}


def said(text: str, finish: str = "stop") -> bytes:
    """A chat completion with one answer."""
    return json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "eye",
            "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
    ).encode()


class Server(ThreadingHTTPServer):
    """Does the next thing of its `script` for each request, then answers well. Keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Callable[[Handler], None]] = []
        self.always: Callable[[Handler], None] = lambda handler: handler.reply(said(json.dumps(GOOD)))
        self.asked: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.lock = threading.Lock()
        self.busy = self.most = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections are cut on purpose."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.reply(json.dumps({"object": "list", "data": [{"id": "eye", "object": "model"}]}).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.body = body
        with self.server.lock:
            self.server.asked.append(body)
            self.server.times.append(time.monotonic())
            self.server.busy += 1
            self.server.most = max(self.server.most, self.server.busy)
            act = self.server.script.pop(0) if self.server.script else self.server.always
        try:
            act(self)
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def reply(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


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


@pytest.fixture(scope="session")
def small_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2.5-VL of 64 dimensions that was taught to tell red from blue, in a few seconds, and to say so in JSON; a
    green square it answers with words."""
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

    folder = tmp_path_factory.mktemp("qwen")
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
    for _ in range(400):
        loss = model(**batch, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.01:
            break
    model.save_pretrained(folder)
    return folder
