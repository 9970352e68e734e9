"""Keys, cache, latencies, prompts and verdicts by themselves."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorl.llm import Answer, Cache, Meter, Prompt, Request, Server, Verdict
from emorl.llm.verdict import OffSchema, read
from emorl.records import RecordError


class Score(Verdict):
    reason: str
    score: int


def test_the_key_knows_what_matters_and_nothing_else() -> None:
    request, server = Request((("user", "a"),)), Server("m", "http://x/v1")
    key = request.key(server)
    assert key == request.key(Server("m", "http://x/v1/", timeout=3, retries=0, concurrency=2, price_in=1, price_out=1))
    others = [
        request.key(Server("n", "http://x/v1")),
        request.key(Server("m", "http://y/v1")),
        request.key(Server("m", "http://x/v1", extra_body={"top_k": 1})),
        request.key(server, Score.schema_text()),
        *(
            Request(**{"messages": (("user", "a"),)} | change).key(server)
            for change in (
                {"messages": (("user", "b"),)},
                {"messages": (("system", "a"),)},
                {"repeat": 1},
                {"seed": 0},
                {"temperature": 0.0},
                {"max_tokens": 5},
                {"top_p": 0.5},
            )
        ),
    ]
    assert len({key, *others}) == len(others) + 1


def test_the_first_reply_under_a_key_stays_also_among_threads(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    seen: list[str] = []

    def work(i: int) -> None:
        for n in range(20):
            cache.put(f"k{n}", Answer(f"{i}"))
            found = cache.get(f"k{n}")
            assert found is not None
            seen.append(f"{n}:{found.text}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(seen) == 80 and len(set(seen)) == 20 == len(cache)
    assert cache.get("unknown") is None


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database\n" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Cache(path)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_percentiles_are_numpys(seconds: list[float], share: float) -> None:
    meter = Meter(Server("m", "http://x"))
    for s in seconds:
        meter.spent(Answer("x"), s)
    rank = min(int(share * len(seconds)), len(seconds) - 1)
    assert meter.latency(share) == np.sort(seconds)[rank]
    assert meter.latency(share) >= np.quantile(seconds, share, method="lower")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": ""}, "Name the model"),
        ({"base_url": "localhost:8000"}, "http://"),
        ({"concurrency": 0}, "at least one"),
        ({"price_in": 1.0}, "both or neither"),
        ({"timeout": 0}, "seconds above 0"),
        ({"retries": -1}, "0 or more"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_remedy(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        Server(**{"model": "m"} | change)


@pytest.mark.parametrize(
    "text",
    [
        '{"reason": "kind", "score": 3}',
        '```json\n{"reason": "kind", "score": 3}\n```',
        'Sure! Here it is: {"reason": "kind", "score": 3} Anything else?',
        '<think>{"score": 9} hm {</think>\n{"reason": "kind", "score": 3}',
    ],
)
def test_a_verdict_is_found_whatever_stands_around_it(text: str) -> None:
    assert read(Score, text) == Score(reason="kind", score=3)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON object"),
        ("I'd say 3", "no JSON object"),
        ("} {", "no JSON object"),
        ('{"reason": "kind"}', "score: Field required"),
        ('{"reason": "kind", "score": "3"}', "score"),
        ('{"reason": "kind", "score": 3.5}', "score"),
        ('{"reason": "kind", "score": 3, "mood": 1}', "mood"),
        ('{"score": 3, "reason": "kind"}', "the score before the reason"),
        ('{"reason": "kind", "score": 3', "no JSON object"),
        ('{"reason": "a" "score": 3}', "JSON"),
        ("{" * 90_000 + "}" * 90_000, "characters long"),
        ("{" * 40_000 + "}" * 40_000, "JSON"),
        ('{"reason":' * 9_000 + "}", "JSON"),
    ],
)
def test_all_else_is_off_schema_and_says_why(text: str, problem: str) -> None:
    start = time.monotonic()
    with pytest.raises(OffSchema, match=problem):
        read(Score, text)
    assert time.monotonic() - start < 5


@given(st.text(alphabet='{}[]":,reasonscore 0123456789', max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(OffSchema):
        assert isinstance(read(Score, text).score, int)


def test_a_schema_with_the_score_first_is_refused() -> None:
    with pytest.raises(TypeError, match="first field must be text"):

        class Hasty(Verdict):
            score: int
            reason: str


@given(st.text(), st.text())
def test_what_is_filled_in_is_never_read_again(scene: str, reply: str) -> None:
    assert Prompt("S: {{scene}} R: {{reply}}").fill(scene=scene, reply=reply) == f"S: {scene} R: {reply}"


def test_a_prompt_wants_just_its_slots(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("\nHello {{name}}, {literal} {0}\n")
    prompt = Prompt.read(tmp_path / "p.txt")
    assert prompt.slots == {"name"} and prompt.fill(name="{{x}}") == "Hello {{x}}, {literal} {0}"
    for wrong in ({}, {"name": "a", "other": "b"}):
        with pytest.raises(KeyError, match="slots"):
            prompt.fill(**wrong)
    assert prompt.hash != Prompt("Hello").hash and len(prompt.hash) == 8
