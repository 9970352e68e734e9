"""One dialogue as a person would want to read it."""

from __future__ import annotations

from emorl.dialogue import Component, Dialogue, Turn
from emorl.report import path
from emorl.report.html import Markup, join, tag
from emorl.report.scale import number, signed
from emorl.report.selection import Shown

STOPS = {
    "satisfied": "had what they needed",
    "walked_out": "walked out",
    "policy_ended": "policy ended it",
    "turn_limit": "all turns used",
    "token_limit": "out of tokens",
}


def article(shown: Shown, number_: int, open_: bool) -> Markup:
    """The dialogue, folded to one line of overview; filters read the `data-` attributes."""
    dialogue = shown.rollout.dialogue
    body = tag(
        "div", path.full(dialogue), _conversation(dialogue), _ending(dialogue), _scores(shown), _story(dialogue), class_="body"
    )
    return tag(
        "article",
        tag("details", _summary(shown), body, open=open_),
        class_="talk",
        id=f"talk-{number_}",
        data_emotion=dialogue.scenario.emotion,
        data_phase=shown.rollout.phase,
        data_status=dialogue.status,
    )


def plain(name: str) -> str:
    """A name from the code as words."""
    return name.replace("_", " ")


def _summary(shown: Shown) -> Markup:
    dialogue = shown.rollout.dialogue
    persona = dialogue.scenario.persona
    failed = dialogue.status == "failed"
    score = tag("span", "failed" if failed else f"{shown.score or 0.0:.2f}", class_="score failed" if failed else "score")
    who = tag("h3", tag("bdi", persona.name), tag("span", f", {persona.age}", class_="age"))
    facts = [plain(dialogue.scenario.emotion), f"step {shown.rollout.step}", *([] if failed else [STOPS[dialogue.stop]])]
    line = tag("span", *(tag("span", fact, class_="fact") for fact in facts), class_="facts")
    teaser = tag("span", dialogue.scenario.opening, class_="teaser", dir="auto")
    return tag("summary", score, tag("span", who, line, class_="head"), path.spark(dialogue), teaser)


def _scores(shown: Shown) -> Markup | None:
    rewards = shown.rollout.rewards
    if not rewards:
        return None
    rows = [(plain(name), value) for name, value in rewards.items()]
    rows += [("total, weighted", shown.rollout.weighted)]
    none = tag("span", "none", title="Does not apply, or the dialogue failed")
    cells = (tag("div", tag("dt", name), tag("dd", none if value is None else number(value))) for name, value in rows)
    return tag("dl", *cells, class_="scores")


def _conversation(dialogue: Dialogue) -> Markup:
    start = tag("p", tag("b", f"{dialogue.scenario.level:.0f}", class_="emotion"), tag("span", "at the start"), class_="felt")
    opening = tag("li", _speaker(dialogue), start, _said(dialogue.scenario.opening), class_="user")
    turns = (_turn(dialogue, k, turn) for k, turn in enumerate(dialogue.turns, 1))
    return tag("ol", opening, *turns, class_="turns")


def _speaker(dialogue: Dialogue) -> Markup:
    return tag("p", tag("bdi", dialogue.scenario.persona.name), tag("span", " simulated user", class_="role"), class_="speaker")


def _said(words: str) -> Markup:
    # Each utterance is a box of its own direction: marks in it that turn the writing around end with it.
    return tag("div", words, class_="said", dir="auto")


def _turn(dialogue: Dialogue, k: int, turn: Turn) -> Markup:
    policy = tag(
        "li",
        tag("p", "Policy", tag("span", f" reply {k}", class_="role"), class_="speaker"),
        _thoughts(turn),
        _reply(turn),
        class_="policy",
    )
    if k > len(path.heard(dialogue)):
        why = tag("p", tag("b", "Failed. "), tag("bdi", dialogue.failure), class_="failure")
        return join(policy, tag("li", _speaker(dialogue), why, class_="user"))
    words = _said(turn.words) if turn.words else None
    return join(policy, tag("li", _speaker(dialogue), _felt(dialogue, k, turn), _chips(turn.components), words, class_="user"))


def _thoughts(turn: Turn) -> Markup | None:
    if not turn.think:
        return None
    return tag("div", tag("span", "thinks, unseen", class_="role"), tag("div", turn.think, dir="auto"), class_="think")


def _reply(turn: Turn) -> Markup:
    cut = tag("p", "cut off by the token limit", class_="cut") if turn.truncated else None
    return join(_said(turn.reply) if turn.reply.strip() else tag("div", "said nothing", class_="said nothing"), cut)


def _felt(dialogue: Dialogue, k: int, turn: Turn) -> Markup:
    sign = "up" if turn.change > 0 else "down" if turn.change < 0 else "same"
    change = tag("span", signed(turn.change, 0), class_=f"change {sign}")
    band = tag("span", path.against_band(dialogue, k, turn.emotion)) if dialogue.scenario.apt_path else None
    return tag("p", tag("b", f"{turn.emotion:.0f}", class_="emotion"), change, band, class_="felt")


def _chips(components: tuple[Component, ...]) -> Markup | None:
    if not components:
        return None
    # The strongest first: that is what moved the user.
    ordered = sorted(components, key=lambda c: -abs(c.value))
    return tag("div", *map(_chip, ordered), class_="chips")


def _chip(component: Component) -> Markup:
    sign = "up" if component.value > 0 else "down" if component.value < 0 else "same"
    value = tag("b", signed(component.value, 1))
    strength = f"--strength:{abs(component.value):.2f}"
    summary = tag("summary", plain(component.name), " ", value, style=strength)
    return tag("details", summary, tag("p", component.reason or "No reason given.", dir="auto"), class_=f"chip {sign}")


def _ending(dialogue: Dialogue) -> Markup:
    replies = f"{len(dialogue.turns)} of {dialogue.planned_turns} planned replies"
    if dialogue.status == "failed":
        return tag(
            "p",
            tag("b", "Failed"),
            f" after {replies}: ",
            tag("bdi", dialogue.failure),
            ". It has no scores and moved no gradient.",
            class_="end failed",
        )
    return tag("p", tag("b", STOPS[dialogue.stop].capitalize()), f", {replies}.", class_="end")


def _story(dialogue: Dialogue) -> Markup:
    scenario, persona = dialogue.scenario, dialogue.scenario.persona
    parts = (
        ("What happened", scenario.situation),
        ("Wants", plain(scenario.intention)),
        ("Speaks", persona.register),
        ("Would help", join(*(tag("p", s) for s in scenario.helps))),
        ("Would hurt", join(*(tag("p", s) for s in scenario.hurts))),
        (
            "Came from",
            f"scenario {scenario.id}, seed {dialogue.seed}, sibling {dialogue.sibling}, "
            f"{dialogue.policy or 'unnamed policy'}, {dialogue.user or 'unnamed user'}",
        ),
    )
    rows = (tag("div", tag("dt", name), tag("dd", value, dir="auto")) for name, value in parts)
    return tag("details", tag("summary", "What the policy could not see"), tag("dl", *rows), class_="story")
