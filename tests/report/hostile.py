"""Text that attacks the page it is shown on, in every field of a dialogue that a page could show."""

from __future__ import annotations

from emorl.dialogue import Component, Dialogue, Turn
from emorl.scenario import Disclosure, Persona, Voice
from tests.scripted_user import make_scenario

TURNED = "\u202e\u2066abc"
"""Turns the writing around, and opens an isolate that would swallow the end of the one it stands in."""
ATTACKS = (
    "<script>window.hacked = 1</script>",
    '"><img src=x onerror="window.hacked = 1">',
    "</style></title></textarea></script><svg onload=window.hacked=1>",
    "<!-- --><![CDATA[ ]]>&lt;b&gt;&amp;",
    "{{7*7}} {% raw %} ${7*7} {{constructor.constructor('window.hacked=1')()}}",
    "\u202eright to left\u2066 never closed \u202d",
    TURNED,
    "' onmouseover='window.hacked=1' x='",
    "javascript:window.hacked=1//",
    '<meta http-equiv="refresh" content="0;url=https://example.invalid/">',
    '<link rel=stylesheet href="https://example.invalid/a.css"><style>*{background:url(https://example.invalid/)}</style>',
    "W" * 400,
)


def dialogue(attack: str, k: int = 0, *, failed: bool = False) -> Dialogue:
    """A dialogue with `attack` wherever text can stand."""
    lines = (attack,)
    scenario = make_scenario(
        k,
        id=f"{attack}-{k}",
        situation=attack,
        opening=attack,
        life_area=attack,
        particulars=lines,
        helps=lines,
        hurts=lines,
        disclosures=(Disclosure(attack, lines),),
        voice=Voice(lines, lines, lines, lines, lines, lines),
        persona=Persona(name=attack, age=40, register=attack, weights={attack: 1.0}),
    )
    parts = (Component(attack, 0.5, attack), Component("understood", -0.5, attack))
    turn = Turn(attack, 35.0, 5.0, words=attack, think=attack, components=parts)
    end = Turn(attack, 35.0, 0.0, think=attack)
    return Dialogue(
        scenario,
        (turn, end) if failed else (turn,),
        2,
        "turn_limit",
        status="failed" if failed else "scored",
        failure=attack if failed else "",
        user=attack,
        policy=attack,
    )
