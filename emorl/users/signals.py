"""What can be seen in a reply without a trained judge: particulars taken up, acts, form, invented names.

Thresholds were set on the train split's replies; `docs/user.md` gives the distributions behind them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from emorl.scenario import Emotion, Intention, Scenario
from emorl.users.encoder import Encoder
from emorl.users.text import FUNCTION_WORDS, copied_share, finished, new_share, repeated_share, sentences, stem, words

_DECOYS = json.loads((Path(__file__).parent / "data" / "decoys.json").read_text(encoding="utf-8"))
DECOYS: tuple[str, ...] = (*_DECOYS["stock"], *_DECOYS["others"])

LONG, TOO_LONG = 90, 180
"""Words: a reply longer than `LONG` begins to tire, at `TOO_LONG` it is a speech."""

MOST_SENTENCES = 16
"""Sentences looked at one by one; what comes later is a speech."""

FEELING: dict[Emotion, str] = {
    "grief": "grief griev loss lost miss mourn sad sorrow heavy ache hurt empty pain absence hole raw quiet heart hard",
    "justified_anger": "angr fury furious unfair wrong insult rage outrag betray sting cheat robbed seeth bitter galling mad "
    "hurt raging livid burn scream mock small",
    "unjust_anger": "angr furious sting hurt betray bitter rage frustrat mad let-down galling sore insult upset",
    "anxiety": "anxious anxi worr nerv afraid fear dread scar uneasy tense frighten churn knot",
    "panic": "panic frighten scar terrif heart breath breathe afraid alarm shak rac",
    "shame": "asham shame guilt regret embarrass sick wince sorry squirm cringe burn mortif heavy",
    "loneliness": "lonel alone miss quiet empty isolat invisible left unseen silence apart hollow",
    "overwhelm": "overwhelm too much drown exhaust tired buried stretched pile swamp heavy spread flood spin",
    "disappointment": "disappoint deflat let gutted sad crush flat sting hurt hope sore heavy sunk",
    "joy": "glad happy joy proud delight wonderful lovely thrill brilliant great laugh smile grin congratul love marvel glow",
}
"""Stems of words that name the feeling."""
_FEELING_STEMS = {emotion: frozenset(stem(w) for w in names.split()) for emotion, names in FEELING.items()}

ACTS: dict[str, re.Pattern[str]] = {
    "ask": re.compile(
        r"\?|\b(?:tell me|(?:like|glad|happy|want) to (?:hear|listen|know)|if you want to (?:talk|tell|say))\b", re.I
    ),
    "step": re.compile(
        r"\b(?:could|can|would it|try|start|begin|first|next|before|one thing|write|ring|call|ask|tell|put|pick|let|leave|maybe"
        r"|might|wait|go|take|keep|say|sit|stand|breathe)\b",
        re.I,
    ),
    "share": re.compile(
        r"!|\b(?:congratulations|wonderful|lovely|brilliant|what a|glad|great|enjoy|delight\w*|love|joy|smil\w*|grin\w*"
        r"|laugh\w*)\b",
        re.I,
    ),
    "side": re.compile(
        r"\b(?:wrong|unfair|should(?:n't| not)? have|no right|not (?:right|okay|fair|on)|owed?|deserv\w*|lie|lied|theft|stole\w*"
        r"|took|(?:his|her|their) job|not your|(?:every|'re) right|right to be|no business|not overreacting|injustice|violation"
        r"|degrading|on your side|with you|no answer|answer for|makes? sense|fits what)\b",
        re.I,
    ),
    "turn": re.compile(
        r"\b(?:though|but|maybe|perhaps|might|still|also|wonder|what would|could it|mind|only|either|side"
        r"|from (?:his|her|their))\b",
        re.I,
    ),
    "steady": re.compile(
        r"\b(?:breath\w*|feet|floor|sit|slow\w*|one thing|first|right now|this minute|safe|here|now|hand|look)\b", re.I
    ),
}
"""How a reply that does each thing tends to be worded. One more act, "name" (naming the feeling), is judged by `FEELING`."""

WANTS: dict[Intention, tuple[str, ...]] = {
    "be_heard": ("name", "ask"),
    "be_steadied": ("steady", "name", "step"),
    "be_backed": ("side", "name"),
    "decide": ("ask", "step"),
    "act": ("step", "ask"),
    "see_clearly": ("turn", "ask"),
    "repair": ("step", "ask"),
    "celebrate": ("share", "ask"),
}
"""What each intention asks a reply to do; one of them is enough, two are as good as all."""


def clip(x: float, lo: float = 0.0, hi: float = 1.0) -> float:
    """`x` held to [lo, hi]."""
    return min(hi, max(lo, x))


def ramp(x: float, start: float, end: float) -> float:
    """0 at `start`, 1 at `end`, linear between (either order), held outside."""
    return clip((x - start) / (end - start))


def understanding(encoder: Encoder, particulars: Sequence[str], reply: str, said: str) -> tuple[float, tuple[str, ...]]:
    """(value in [0, 1], particulars taken up). Contrastive: how well the reply fits this user's words and its sentences the
    best two particulars, minus how well it fits its nearest decoy; saturates early, and fades as the reply copies."""
    parts = sentences(reply)[:MOST_SENTENCES]
    if not parts or not particulars:
        return 0.0, ()
    pieces = parts if len(parts) > 1 else ()
    whole, *rest = encoder.similarities(reply, pieces, (said, *particulars, *DECOYS))
    known = slice(1, 1 + len(particulars))
    fits = dict(zip(particulars, map(max, zip(*(row[known] for row in rest or [whole]), strict=True)), strict=True))
    best = sorted(fits, key=lambda p: -fits[p])[:2]
    fit = 0.5 * whole[0] + 0.5 * sum(fits[p] for p in best) / len(best)
    contrast = fit - 0.25 * max(whole[known.stop :])
    value = ramp(contrast, *encoder.contrast) * (1.0 - parroting(reply, said))
    return value, tuple(p for p in best if fits[p] >= 0.35)


def parroting(reply: str, said: str) -> float:
    """How far the reply hands the user's words back, in [0, 1]: bigrams copied, or hardly a word of its own."""
    return max(ramp(copied_share(reply, said), 0.22, 0.45), ramp(new_share(reply, said), 0.30, 0.12)) if reply.strip() else 0.0


def acts(emotion: Emotion, reply: str) -> frozenset[str]:
    """What the reply does: the keys of `ACTS` that it shows, and "name"."""
    done = {name for name, pattern in ACTS.items() if pattern.search(reply)}
    feelings = _FEELING_STEMS[emotion]
    if any(stem(w) in feelings or any(len(f) > 4 and w.startswith(f) for f in feelings) for w in words(reply)):
        done.add("name")
    return frozenset(done)


def intention(scenario: Scenario, reply: str) -> tuple[float, frozenset[str]]:
    """(value in [0, 1], acts done): 1 with two of the acts that the intention asks for, 0.7 with one."""
    done = acts(scenario.emotion, reply) & set(WANTS[scenario.intention])
    return (0.0, 0.7, 1.0)[min(2, len(done))], done


def ill_formed(reply: str, truncated: bool) -> tuple[float, str]:
    """(cost in [0, 1], reason): empty, unfinished, repeating itself, or a speech."""
    count = len(words(reply))
    if count == 0:
        return 1.0, "there is nothing to answer"
    costs = {
        "breaks off in mid-sentence": 0.8 if truncated or not finished(reply) else 0.0,
        "says the same again and again": ramp(repeated_share(reply), 0.10, 0.35),
        "goes on and on": ramp(count, LONG, TOO_LONG),
        "is hardly an answer": ramp(count, 8, 3),
    }
    reason = max(costs, key=lambda r: costs[r])
    return costs[reason], reason if costs[reason] > 0 else ""


_NAME = re.compile(r"(?<=[a-z,;] )([A-Z][a-z]{2,})\b")
_NUMBER = re.compile(r"\b\d[\d,.]*\b")
_FIRST_PERSON_LIFE = re.compile(
    r"\b(?:my (?:name|wife|husband|mother|father|mum|mom|dad|brother|sister|son|daughter|cat|dog|own)"
    r"|when I was|I (?:once|lost|used to|remember|had a|grew up))\b"
)
_DAYS = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "christmas", "english"}


def invented(reply: str, known: str) -> tuple[float, str]:
    """(cost in [0, 1], reason): names and numbers that the user never gave, or a life of the speaker's own."""
    told = {stem(w) for w in words(known)}
    names = [n for n in _NAME.findall(reply) if stem(n.lower()) not in told | _DAYS and n.lower() not in FUNCTION_WORDS]
    numbers = [n for n in _NUMBER.findall(reply) if n.strip(",.") not in known.replace(",", "") and n not in known]
    life = _FIRST_PERSON_LIFE.search(reply)
    strange = [*names, *numbers, *([f"“{life[0]}”"] if life else [])]
    return clip(0.35 * len(names) + 0.15 * len(numbers) + (0.6 if life else 0.0)), ", ".join(strange[:3])
