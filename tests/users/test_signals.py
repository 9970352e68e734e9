"""What can be seen in a reply without a trained judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorl.scenarios import load
from emorl.users.encoder import LexicalEncoder
from emorl.users.signals import ill_formed, intention, invented, parroting, ramp, understanding

SAID = "My brother sold our father's boat on Monday without asking me, and I had painted it twice."
REPLY = (
    "That must sting, being shut out of the decision. Your brother treated the boat as his alone, as if the care you had "
    "painted into it counted for nothing. What did your father want?"
)
PARTICULARS = ("your brother sold your father's boat", "nobody asked you", "you had painted it twice")


def test_ramp_by_hand() -> None:
    assert [ramp(x, 0.2, 0.4) for x in (0.1, 0.3, 0.5)] == pytest.approx([0.0, 0.5, 1.0])
    assert [ramp(x, 0.4, 0.2) for x in (0.1, 0.3, 0.5)] == pytest.approx([1.0, 0.5, 0.0])


def test_particulars_are_understood_and_stock_phrases_are_not() -> None:
    encoder = LexicalEncoder()
    mine, taken = understanding(
        encoder,
        PARTICULARS,
        REPLY,
        SAID,
    )
    stock, _ = understanding(encoder, PARTICULARS, "You are not alone and I am here for you. Your feelings are valid.", SAID)
    assert mine > 0.5
    assert taken
    assert stock == 0.0


def test_handing_the_words_back_is_not_understanding() -> None:
    assert parroting(SAID, SAID) == 1.0
    assert parroting("He took it from you, and your brushstrokes went with it.", SAID) == 0.0
    assert understanding(LexicalEncoder(), PARTICULARS, SAID, SAID)[0] == 0.0


@pytest.mark.parametrize(
    ("reply", "truncated", "reason"),
    [
        ("", False, "nothing"),
        ("That boat was yours too and he", False, "breaks off"),
        ("That boat was yours too, and he knew it.", True, "breaks off"),
        ("Poor you and your boat. " * 8, False, "again"),
        (" ".join(f"boat{i}" for i in range(200)) + ".", False, "goes on"),
        ("So sad.", False, "hardly"),
    ],
)
def test_ill_formed_replies_cost_and_say_why(reply: str, truncated: bool, reason: str) -> None:
    cost, why = ill_formed(reply, truncated)
    assert cost > 0.3
    assert reason in why


def test_a_finished_reply_costs_nothing() -> None:
    assert ill_formed("He had no right to sell it alone. What did he say when you asked him?", False) == (0.0, "")


def test_names_numbers_and_a_life_of_ones_own_are_invented() -> None:
    assert invented("I wonder what Harold said about it.", SAID)[0] > 0.3
    assert invented("He got 4,000 for it.", SAID)[0] > 0.0
    assert invented("When I was a sailor, my brother did the same.", SAID)[0] >= 0.6
    assert invented("He sold it on Monday, and you had painted it twice.", SAID) == (0.0, "")


@given(st.text(max_size=200))
def test_every_signal_stays_in_its_range(reply: str) -> None:
    scenario = load("train")[0]
    assert 0.0 <= understanding(LexicalEncoder(), PARTICULARS, reply, SAID)[0] <= 1.0
    assert 0.0 <= parroting(reply, SAID) <= 1.0
    assert 0.0 <= ill_formed(reply, False)[0] <= 1.0
    assert 0.0 <= invented(reply, SAID)[0] <= 1.0
    assert intention(scenario, reply)[0] in (0.0, 0.7, 1.0)
