"""Asking a server that misbehaves in every way that servers do."""

import base64
import json
import time

import pytest

from dataengine.config import build
from dataengine.errors import ManifestError, StageError
from dataengine.models.captioner.endpoint import Endpoint, EndpointConfig
from tests.chat_server import GOOD, Handler, Server, said

PICTURE = (b"\x89PNG bytes", "image/png")


def endpoint(server: Server, **keys: object) -> Endpoint:
    return Endpoint(EndpointConfig(url=server.url, model="eye", **{"timeout": 5, "retries": 3, **keys}))


def test_a_picture_is_sent_with_the_question_and_the_form_of_the_answer(server: Server):
    [made] = endpoint(server).caption([PICTURE], [None])
    assert made.error is None and made.answer is not None
    assert made.answer.caption == GOOD["Caption"] and made.answer.visible_text == ["SALE", "50 %"]
    assert (made.cost.requests, made.cost.prompt_tokens, made.cost.completion_tokens) == (1, 100, 10)
    [asked] = server.asked
    image, text = asked["messages"][0]["content"]
    assert image["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PICTURE[0]).decode()
    assert "verbatim" in text["text"]
    assert asked["response_format"]["json_schema"]["schema"]["additionalProperties"] is False
    assert (asked["model"], asked["temperature"]) == ("eye", 0)


def test_a_server_that_cannot_be_held_to_a_schema_is_only_asked(server: Server):
    endpoint(server, format="text").caption([PICTURE], [None])
    endpoint(server, format="json_object").caption([PICTURE], [None])
    assert "response_format" not in server.asked[0]
    assert server.asked[1]["response_format"] == {"type": "json_object"}


def busy(handler: Handler) -> None:
    handler.reply(b'{"error": {"message": "slow down"}}', 429, Retry_After="1")


def broken(handler: Handler) -> None:
    handler.reply(b'{"error": {"message": "out of memory"}}', 500)


def cut_off(handler: Handler) -> None:
    body = said(json.dumps(GOOD))
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[:40])
    handler.close_connection = True


def hung_up(handler: Handler) -> None:
    handler.connection.close()


def slow(handler: Handler) -> None:
    time.sleep(1.5)
    handler.reply(said(json.dumps(GOOD)))


@pytest.mark.parametrize("trouble", [busy, broken, cut_off, hung_up, slow])
def test_trouble_that_passes_is_waited_out(server: Server, trouble):
    server.script = [trouble, trouble]
    [made] = endpoint(server, timeout=1).caption([PICTURE], [None])
    assert made.answer is not None, made.error
    assert made.cost.requests == len(server.asked) == 3


def test_a_server_is_given_the_time_that_it_asks_for(server: Server):
    server.script = [busy]
    endpoint(server).caption([PICTURE], [None])
    assert server.times[1] - server.times[0] >= 1


def answered(text: str, finish: str = "stop"):
    return lambda handler: handler.reply(said(text, finish))


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (answered("It shows a sign."), "no JSON object"),
        (answered('{"Caption": "A sign."}'), "Short Caption: Field required"),
        (answered(json.dumps({**GOOD, "Image Type": 3})), "Image Type: Input should be a valid string"),
        (answered(json.dumps(GOOD), "length"), "cut off after 10 tokens"),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_for_again_with_what_is_wrong(server: Server, reply, fault: str):
    server.script = [reply]
    [made] = endpoint(server).caption([PICTURE], [None])
    assert made.answer is not None and made.answer.caption == GOOD["Caption"]
    assert (made.cost.requests, made.cost.prompt_tokens) == (2, 200)
    first, second = server.asked
    assert [m["role"] for m in second["messages"]] == ["user", "assistant", "user"]
    assert fault in second["messages"][-1]["content"]
    assert second["max_tokens"] == first["max_tokens"] * (2 if "cut" in fault else 1)


@pytest.mark.parametrize("body", [b'{"choices": [', b'{"choices": []}', b"<html>welcome</html>", b"null"])
def test_a_message_that_is_no_completion_is_asked_for_again(server: Server, body: bytes):
    server.script = [lambda handler: handler.reply(body)]
    [made] = endpoint(server).caption([PICTURE], [None])
    assert made.answer is not None, made.error
    assert len(server.asked) == 2


def test_one_picture_without_an_answer_keeps_no_other_from_its_own(server: Server):
    def picky(handler: Handler) -> None:
        bad = base64.b64encode(b"bad").decode() in json.dumps(handler.body)
        handler.reply(said("I cannot." if bad else json.dumps({**GOOD, "Caption": "fine"})))

    server.always = picky
    pictures = [(b"bad" if i == 2 else b"ok%d" % i, "image/png") for i in range(5)]
    made = endpoint(server).caption(pictures, [None] * 5)
    assert [one.answer.caption if one.answer else None for one in made] == ["fine", "fine", None, "fine", "fine"]
    assert "eye gives no answer that can be used: it is no JSON object: 'I cannot.'" in str(made[2].error)
    assert made[2].cost.requests == 3


def test_many_are_asked_for_at_once_and_come_back_in_order(server: Server):
    def slowly(handler: Handler) -> None:
        url = handler.body["messages"][0]["content"][0]["image_url"]["url"]
        number = int(base64.b64decode(url.partition(",")[2]))
        time.sleep(0.05 * (number % 3))
        handler.reply(said(json.dumps({**GOOD, "Caption": f"number {number}"})))

    server.always = slowly
    made = endpoint(server, concurrency=8).caption([(b"%d" % i, "image/png") for i in range(24)], [None] * 24)
    assert [one.answer.caption for one in made if one.answer] == [f"number {i}" for i in range(24)]
    assert 2 <= server.most <= 8


def test_a_server_that_never_answers_ends_the_run_and_not_each_picture_of_it(server: Server):
    server.always = broken
    asked = endpoint(server, retries=0, concurrency=1)
    made = asked.caption([PICTURE] * 7, [None] * 7)
    assert all(one.error and "InternalServerError" in one.error.message for one in made)
    with pytest.raises(StageError, match="8 pictures in a row without an answer"):
        asked.caption([PICTURE], [None])


def test_what_was_asked_in_vain_is_counted_too(server: Server):
    server.script = [answered("It shows a sign.")]
    server.always = broken
    [made] = endpoint(server, retries=1).caption([PICTURE], [None])
    assert made.error and made.error.message.startswith("InternalServerError after 2 requests: Error code: 500")
    assert (made.cost.requests, made.cost.prompt_tokens) == (len(server.asked), 100) == (3, 100)
    assert made.cost.seconds > 0.3  # the time waited in between is paid for too


def test_what_the_server_will_never_take_is_not_sent_again(server: Server):
    server.script = [lambda handler: handler.reply(b'{"error": {"message": "picture too large"}}', 400)]
    [made] = endpoint(server).caption([PICTURE], [None])
    assert made.error and "BadRequestError after 1 request: " in made.error.message
    assert "picture too large" in made.error.message and len(server.asked) == 1


def test_a_server_that_answers_now_and_then_goes_on(server: Server):
    server.script = ([broken] * 5 + [answered(json.dumps(GOOD))]) * 3
    made = endpoint(server, retries=0, concurrency=1).caption([PICTURE] * 18, [None] * 18)
    assert sum(one.answer is not None for one in made) == 3


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_ends_the_run_at_once(server: Server, status: int):
    server.always = lambda handler: handler.reply(b'{"error": {"message": "who are you?"}}', status)
    with pytest.raises(StageError, match=r"refuses.*who are you(?s:.)*check `url`"):
        endpoint(server).caption([PICTURE], [None])
    assert len(server.asked) == 1


def test_the_key_comes_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch):
    seen = []

    def look(handler: Handler) -> None:
        seen.append(handler.headers["Authorization"])
        handler.reply(said(json.dumps(GOOD)))

    server.always = look
    monkeypatch.setenv("EYE_KEY", "s3cret")
    endpoint(server, key="EYE_KEY").caption([PICTURE], [None])
    assert seen == ["Bearer s3cret"]


@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_repeats_the_key_does_not_give_it_away(
    server: Server, status: int, monkeypatch: pytest.MonkeyPatch
):
    def repeats(handler: Handler) -> None:
        handler.reply(json.dumps({"error": {"message": f"got {handler.headers['Authorization']}"}}).encode(), status)

    server.always = repeats
    monkeypatch.setenv("EYE_KEY", "s3cret")
    asked = endpoint(server, key="EYE_KEY", retries=0)
    if status == 401:
        with pytest.raises(StageError, match="got Bearer …") as refused:
            asked.caption([PICTURE], [None])
        assert "s3cret" not in str(refused.value)
    else:
        [made] = asked.caption([PICTURE], [None])
        assert "got Bearer …" in str(made.error) and "s3cret" not in str(made.error)


@pytest.mark.parametrize("given", [{"key": "sk-s3cret"}, {"url": "http://me:s3cret@localhost:8000/v1"}])
def test_a_key_in_the_manifest_is_refused_and_not_repeated(given: dict):
    with pytest.raises(ManifestError, match="environment variable") as refused:
        build(EndpointConfig, {"url": "http://localhost:8000/v1", "model": "eye", **given}, "manifest.yaml")
    assert "s3cret" not in str(refused.value)


def test_a_server_without_a_list_of_models_can_be_asked(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Handler, "do_GET", lambda handler: handler.reply(b"{}", 404))
    assert Endpoint.missing(EndpointConfig(url=server.url, model="eye")) is None


def test_whether_it_can_be_asked_is_told_beforehand(server: Server):
    assert Endpoint.missing(EndpointConfig(url=server.url, model="eye")) is None
    fault = Endpoint.missing(EndpointConfig(url="http://127.0.0.1:9/v1", model="eye"))
    assert fault and "127.0.0.1:9/v1 cannot be asked for captions" in fault.message
