"""The client over real HTTP on loopback: what it sends, retries, refuses, caches and counts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from emorl.llm import Answer, Budget, Cache, Client, LLMFailure, LLMSetupError, Request, Server, Verdict
from tests.llm.server import LoopbackServer


class Score(Verdict):
    reason: str
    score: int


def scored(body: dict[str, Any]) -> str:
    return json.dumps({"reason": body["messages"][-1]["content"], "score": 7})


def ask(text: str = "hello", **kwargs: Any) -> Request:
    return Request((("system", "Judge."), ("user", text)), **kwargs)


def client(url: str, *, cache: Cache | None = None, budget: Budget | None = None, **kwargs: Any) -> Client:
    return Client(Server("m", url, timeout=1.0, **kwargs), cache=cache, budget=budget)


def test_the_request_is_what_was_meant_and_the_verdict_is_read() -> None:
    server = LoopbackServer(scored)
    with server.running() as url:
        (answer,) = client(url, extra_body={"top_k": 4}).ask_all([ask("héllo", seed=3, max_tokens=50)], Score)
    assert isinstance(answer, Answer) and answer.value == Score(reason="héllo", score=7)
    assert (answer.tokens_in, answer.tokens_out, answer.cached) == (20, 10, False)
    (body,) = server.bodies
    assert body["messages"] == [{"role": "system", "content": "Judge."}, {"role": "user", "content": "héllo"}]
    assert (body["model"], body["seed"], body["max_tokens"], body["top_k"]) == ("m", 3, 50, 4)
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["reason", "score"]


@pytest.mark.parametrize("fault", ["429", "500", "503", "drop", "drop_midway", "hang"])
def test_faults_of_the_way_are_retried(fault: str) -> None:
    server = LoopbackServer(scored, lambda number, _: fault if number == 0 else None)
    with server.running() as url:
        (answer,) = client(url, retries=1).ask_all([ask()], Score)
    assert isinstance(answer, Answer), answer
    assert len(server.bodies) == 2 and server.bodies[0] == server.bodies[1]


@pytest.mark.parametrize("fault", ["not_json", "no_choices", "empty", "cut_off", "off_schema"])
def test_replies_that_are_not_what_was_asked_for_are_asked_for_again(fault: str) -> None:
    server = LoopbackServer(scored, lambda number, _: fault if number == 0 else None)
    with server.running() as url:
        c = client(url, retries=0)
        (answer,) = c.ask_all([ask(seed=1)], Score)
    assert isinstance(answer, Answer), answer
    assert server.bodies[0] == server.bodies[1]  # the very same request: nothing is sampled anew because of a fault
    assert (c.meter.calls, c.meter.resent, c.meter.failed) == (2, 1, 0)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("429", "HTTP 429: .*injected 429"),
        ("500", "HTTP 500"),
        ("drop", "no connection to http"),
        ("hang", "no reply within 1 s"),
        ("not_json", r"malformed reply.*in each of 3 tries"),
        ("off_schema", r"off-schema reply: holds no JSON object \(in each of 3 tries\)"),
        ("cut_off", "cut off by max_tokens"),
        ("refusal", "refused"),
    ],
)
def test_what_never_goes_well_fails_with_a_reason_and_spares_the_others(fault: str, reason: str) -> None:
    server = LoopbackServer(scored, lambda _, body: fault if "bad" in body["messages"][-1]["content"] else None)
    with server.running() as url:
        c = client(url, retries=0)
        good, bad = c.ask_all([ask("good"), ask("bad")], Score)
    assert isinstance(good, Answer) and isinstance(bad, LLMFailure)
    with pytest.raises(LLMFailure, match=reason):
        raise bad
    assert c.meter.failed == 1


def test_retry_after_is_honoured() -> None:
    server = LoopbackServer(scored, lambda number, _: "429" if number == 0 else None)
    server.retry_after = "2"
    with server.running() as url:
        client(url, retries=1).ask_all([ask()], Score)
    assert server.times[1] - server.times[0] >= 1.9  # the SDK's own first wait is at most 0.5 s


@pytest.mark.parametrize(("status", "remedy"), [("401", "environment variable MY_KEY"), ("403", "MY_KEY"), ("404", "base_url")])
def test_a_wrong_address_or_key_stops_everything_with_a_remedy(status: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret-value")
    server = LoopbackServer(scored, lambda _, __: status)
    with server.running() as url, pytest.raises(LLMSetupError, match=remedy) as told:
        client(url, retries=3, api_key_env="MY_KEY").ask_all([ask(), ask("two")], Score)
    assert "secret-value" not in str(told.value)
    assert server.headers[0]["authorization"] == "Bearer secret-value"
    assert len(server.bodies) <= 2


def test_concurrency_is_bounded() -> None:
    server = LoopbackServer(scored)
    server.delay = 0.1
    with server.running() as url:
        client(url, concurrency=3).ask_all([ask(str(i)) for i in range(12)], Score)
    assert server.most_in_flight == 3


def test_the_cache_answers_again_and_keeps_draws_apart(tmp_path: Path) -> None:
    server = LoopbackServer(scored)
    with server.running() as url:
        first = client(url, cache=Cache(tmp_path / "llm.sqlite"))
        first.ask_all([ask(), ask(repeat=1)], Score)
        second = client(url, cache=Cache(tmp_path / "llm.sqlite"))
        again = second.ask_all([ask(), ask(repeat=1), ask(repeat=2), ask(temperature=0.5)], Score)
    assert [a.cached for a in again if isinstance(a, Answer)] == [True, True, False, False]
    assert all(isinstance(a, Answer) and a.value.score == 7 for a in again)
    assert len(server.bodies) == 4 and second.meter.hits == 2


@pytest.mark.parametrize("fault", ["refusal", "off_schema", "cut_off", "500"])
def test_failures_are_never_cached(fault: str, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "llm.sqlite")
    with LoopbackServer(scored, lambda _, __: fault).running() as url:
        (failure,) = client(url, cache=cache, retries=0, resends=0).ask_all([ask()], Score)
    assert isinstance(failure, LLMFailure) and len(cache) == 0


def test_a_budget_is_never_overrun_even_by_calls_in_flight() -> None:
    server = LoopbackServer(scored)
    server.delay = 0.05
    request = ask(max_tokens=10)
    limit = 3 * (request.tokens_guess() + 10)
    with server.running() as url:
        c = client(url, budget=Budget(tokens=limit))
        answers = c.ask_all([ask(max_tokens=10, repeat=i) for i in range(20)], Score)
    failures = [str(a) for a in answers if isinstance(a, LLMFailure)]
    assert failures and all(f"budget of {limit:,} tokens" in f for f in failures)
    assert c.meter.tokens_in + c.meter.tokens_out <= limit
    assert len(server.bodies) == 20 - len(failures)


def test_costs_are_counted_where_there_are_prices_and_otherwise_not_free() -> None:
    with LoopbackServer(scored).running() as url:
        priced = client(url, price_in=2.0, price_out=10.0)
        priced.ask_all([ask()], Score)
        free = client(url)
        free.ask_all([ask()], Score)
    assert priced.meter.cost == pytest.approx((20 * 2 + 10 * 10) / 1e6)
    assert free.meter.cost is None and "not priced" in str(free.meter) and "llm/cost_usd" not in free.meter.metrics()
    assert str(priced.estimate(1000, ask(max_tokens=10))).endswith(
        f"at most ${1000 * (ask().tokens_guess() * 2 + 100) / 1e6:,.2f}"
    )
    with pytest.raises(ValueError, match="needs prices"):
        client("http://localhost/v1", budget=Budget(cost=1.0))


def test_progress_tells_counts_latencies_and_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emorl.llm.client.EVERY", 0.0)
    lines: list[str] = []
    with LoopbackServer(scored).running() as url:
        Client(Server("m", url), progress=lines.append).ask_all([ask(repeat=i) for i in range(3)], Score)
    assert lines[-1].startswith("m: 3 calls, 0 cached, 0 failed; p50 ") and "p95" in lines[-1] and "90 tokens" in lines[-1]


def test_a_client_travels_by_pickle_and_opens_again_after_close() -> None:
    with LoopbackServer(scored).running() as url:
        c = client(url)
        c.ask_all([ask()], Score)
        other: Client = pickle.loads(pickle.dumps(c))
        c.close()
        for again in (other, c):
            assert isinstance(again.ask_all([ask()], Score)[0], Answer)
