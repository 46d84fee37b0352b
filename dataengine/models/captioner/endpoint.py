"""A captioner behind an OpenAI-compatible endpoint: vLLM or SGLang with Qwen2.5-VL, Ray Serve, or a hosted service.

Many pictures are asked for at once. A request that is refused for load (429), fails on the server's side (5xx), is cut
off or takes too long is sent again, after the time the server asks for or else with exponential back-off. An answer
that cannot be used is asked for again in the same conversation, with what was wrong with it.

The key is read from the environment where the workers run, and is cut out of whatever the server says of it.
"""

import base64
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import openai
from pydantic import Field, model_validator

from dataengine.config import HOW, Config
from dataengine.errors import SampleError, StageError
from dataengine.models.captioner.answer import (
    REASKED,
    Answer,
    Captioned,
    Cost,
    again,
    form,
    json_schema,
    parse,
    question,
)

Picture = tuple[bytes, str]
"""An encoded picture and its media type."""

_REFUSALS = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)
_GIVE_UP = 8  # pictures in a row that the server could not be reached for, or was always too busy for


class EndpointConfig(Config):
    """`url` ends before /chat/completions, as in http://localhost:8000/v1. `key` names the environment variable that
    holds the key, so that the key itself stands in no manifest. `concurrency` is that of one worker. `timeout`: seconds
    in which the server sends nothing."""

    url: Annotated[str, HOW]
    model: str
    key: Annotated[str, HOW] = "OPENAI_API_KEY"
    format: Literal["json_schema", "json_object", "text"] = "json_schema"  # what the server can be held to
    temperature: float = Field(0.0, ge=0)
    max_tokens: int = Field(1024, ge=1)
    concurrency: Annotated[int, HOW] = Field(32, ge=1)
    retries: Annotated[int, HOW] = Field(6, ge=0)
    timeout: Annotated[float, HOW] = Field(120.0, gt=0)

    @model_validator(mode="after")
    def _without_secrets(self) -> "EndpointConfig":
        """What is given is written into the run's folder. (Of a single field, the refused value would be shown.)"""
        if not self.key.isidentifier():
            raise ValueError("`key` is the name of an environment variable, not the key itself")
        if "@" in self.url.split("://")[-1].split("/")[0]:
            raise ValueError("`url` has a password in it: give it in the environment variable that `key` names")
        return self


class Endpoint:
    """Asks the server. Raises StageError when it refuses to be asked at all, or cannot be reached for long."""

    def __init__(self, config: EndpointConfig) -> None:
        self.config = config
        self._requests = _Requests()
        self._client = _client(config, config.timeout, config.retries, self._requests)
        self._pool = ThreadPoolExecutor(config.concurrency, thread_name_prefix="caption")
        self._unanswered = _Streak()

    @staticmethod
    def missing(config: EndpointConfig) -> StageError | None:
        """Why the server could not be asked, as far as its list of models tells; not every server has one."""
        try:
            _client(config, timeout=10, retries=0, requests=_Requests()).models.list()
        except openai.NotFoundError:
            return None
        except (openai.APIConnectionError, *_REFUSALS) as error:
            return StageError(f"{config.url} cannot be asked for captions: {_said(error, config)}", _remedy(config))
        except (openai.OpenAIError, ValueError):
            return None
        return None

    def caption(self, pictures: Sequence[Picture], raw: Sequence[str | None]) -> list[Captioned]:
        """An answer for each picture and the caption that it came with, in order."""
        return list(self._pool.map(self._one, pictures, raw))

    def _one(self, picture: Picture, raw: str | None) -> Captioned:
        kind = form(raw)
        first = {"role": "user", "content": [_shown(picture), {"type": "text", "text": question(raw)}]}
        talk, room, cost, fault = [first], self.config.max_tokens, Cost(), ""
        for _ in range(REASKED + 1):
            reply = self._ask(talk, kind, room)
            cost += reply.cost
            if reply.lost:
                return Captioned(error=SampleError(reply.fault), cost=cost)
            try:
                return Captioned(reply.answer(kind), cost=cost)
            except SampleError as error:
                fault = error.message
            room *= 2 if reply.cut else 1
            if reply.text:
                said = {"role": "assistant", "content": reply.text}
                talk = [first, said, {"role": "user", "content": again(fault)}]
        return Captioned(error=SampleError(f"{self.config.model} gives no answer that can be used: {fault}"), cost=cost)

    def _ask(self, talk: list[dict[str, Any]], kind: type[Answer], room: int) -> "_Reply":
        """What is answered to the conversation. Raises StageError when there is no use in asking on."""
        started, before = time.perf_counter(), self._requests.sent
        try:
            sent = self._client.chat.completions.with_raw_response.create(
                model=self.config.model,
                messages=talk,  # type: ignore[arg-type]
                temperature=self.config.temperature,
                max_tokens=room,
                **self._held_to(kind),
            )
        except _REFUSALS as error:
            message = f"{self.config.url} refuses: {_said(error, self.config)}"
            raise StageError(message, _remedy(self.config)) from None
        except openai.APIError as error:
            said = _said(error, self.config)
            if self._unanswered.longer() >= _GIVE_UP:
                message = f"{self.config.url}: {_GIVE_UP} pictures in a row without an answer; the last: {said}"
                remedy = f"{_remedy(self.config)}; what was captioned stands, so run again"
                raise StageError(message, remedy) from None
            cost = Cost(self._requests.sent - before, 0, 0, time.perf_counter() - started)
            times = f"{cost.requests} request{'s' * (cost.requests > 1)}"
            return _Reply("", False, f"{type(error).__name__} after {times}: {said}", cost, lost=True)
        self._unanswered.ended()
        return _Reply.of(sent, Cost(self._requests.sent - before, 0, 0, time.perf_counter() - started))

    def _held_to(self, kind: type[Answer]) -> dict[str, Any]:
        """What makes the server keep to the form, as far as it can."""
        if self.config.format == "text":
            return {}
        if self.config.format == "json_object":
            return {"response_format": {"type": "json_object"}}
        schema = {"name": "caption", "strict": True, "schema": json_schema(kind)}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}


@dataclass(frozen=True)
class _Reply:
    """What the server sent: a text, whether it was cut for its length, or a fault of the message itself. `lost`: there
    was none, however often it was asked."""

    text: str
    cut: bool
    fault: str
    cost: Cost
    lost: bool = False

    @classmethod
    def of(cls, sent: Any, cost: Cost) -> "_Reply":
        try:
            said = sent.parse()
            choice, usage = said.choices[0], said.usage
            text, cut = choice.message.content or "", choice.finish_reason == "length"
            tokens = Cost(0, usage.prompt_tokens, usage.completion_tokens) if usage else Cost()
        except (openai.APIError, ValueError, LookupError, AttributeError, TypeError) as error:
            return cls("", False, f"the server's message is no chat completion: {error}", cost)
        return cls(text, cut, "", cost + tokens)

    def answer(self, kind: type[Answer]) -> Answer:
        """Raises SampleError that says what is wrong with it. An answer that was cut is not repaired: half a list of
        what stands in a picture is a wrong list."""
        if self.cut:
            raise SampleError(f"it was cut off after {self.cost.completion_tokens} tokens")
        if self.fault:
            raise SampleError(self.fault)
        return parse(self.text, kind)


class _Streak:
    """How many requests in a row went wrong, over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._length = 0

    def longer(self) -> int:
        with self._lock:
            self._length += 1
            return self._length

    def ended(self) -> None:
        with self._lock:
            self._length = 0


class _Requests(threading.local):
    """How many requests a thread has sent, those that were sent again among them."""

    sent = 0

    def count(self, request: Any) -> None:
        self.sent += 1


def _client(config: EndpointConfig, timeout: float, retries: int, requests: _Requests) -> openai.OpenAI:
    # A server of one's own wants no key, but the client insists on one.
    key = os.environ.get(config.key) or "none"
    http = openai.DefaultHttpxClient(event_hooks={"request": [requests.count]})
    return openai.OpenAI(base_url=config.url, api_key=key, timeout=timeout, max_retries=retries, http_client=http)


def _said(error: openai.APIError, config: EndpointConfig) -> str:
    """What an error says, without the key, which some servers repeat."""
    key = os.environ.get(config.key)
    return str(error).replace(key, "…") if key else str(error)


def _remedy(config: EndpointConfig) -> str:
    return (
        f"check `url` (up to /v1) and `model`, that the server runs, and that {config.key} holds its key if it has one"
    )


def _shown(picture: Picture) -> dict[str, Any]:
    encoded, kind = picture
    return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{base64.b64encode(encoded).decode()}"}}
