"""The page: its parts, what it says where something is missing, and that text stays text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from emorl.records import RecordError, to_dict
from emorl.report import SECTIONS, Run, read, render, write
from emorl.report.html import Markup, tag, text
from emorl.runfolder import Rollout, RunFolder
from tests.report import hostile
from tests.report.make_run import make_run


class Elements(HTMLParser):
    """Every element of a page, and that the tags are balanced."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((name, dict(attributes)))
        if name not in ("meta", "input"):
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def named(self, name: str, cls: str = "") -> list[dict[str, str | None]]:
        return [a for n, a in self.found if n == name and cls in ["", *(a.get("class") or "").split()]]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "demo")


def page_of(folder: Path) -> str:
    return write(folder).read_text(encoding="utf-8")


def titles(page: str) -> list[str]:
    return re.findall(r"<figcaption><h3>(.*?)</h3>", page)


def test_write_returns_one_file_and_replaces_it(run_dir: Path) -> None:
    first = write(str(run_dir))
    assert first == run_dir / "report.html" and write(run_dir) == first
    assert not list(run_dir.glob("*.tmp"))


def test_a_page_has_its_parts_and_is_well_formed(run_dir: Path) -> None:
    page = page_of(run_dir)
    elements = Elements(page)
    assert titles(page)[:2] == ["Total reward", "emotion_trajectory"]
    for title in (
        "Spread inside a group",
        "Entropy",
        "KL to the start",
        "Length in tokens",
        "Words per reply",
        "Failed dialogues",
    ):
        assert title in titles(page)
    assert elements.named("article", "talk") and elements.named("path", "mark")
    for said in (
        "SmolLM2-135M-Instruct",
        "appraisal/minilm-3f2a9c/tables-1",
        "12 optimizer steps",
        "evidence about the machinery, not about people",
    ):
        assert said in page
    assert "12 steps show that the machinery runs, not a gain" in page


def test_a_page_loads_nothing(run_dir: Path) -> None:
    for name, attributes in Elements(page_of(run_dir)).found:
        assert name not in ("link", "img", "iframe", "object", "embed", "base")
        assert not {"src", "srcset", "data", "action", "background"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")


def test_every_drawing_is_named_and_every_id_is_unique(run_dir: Path) -> None:
    elements = Elements(page_of(run_dir))
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in elements.named("svg"))
    ids = [a["id"] for _, a in elements.found if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in elements.found if "aria-labelledby" in a} <= set(ids)


def test_settings_withhold_secrets(run_dir: Path) -> None:
    page = page_of(run_dir)
    assert "hf_secret" not in page and "(withheld)" in page and "num_generations" in page


def test_no_kl_says_why(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "r", steps=2, kl=False)
    assert "because beta is 0" in page_of(folder)
    (folder / "config.yaml").unlink()
    page = page_of(folder)
    assert "There is no config.yaml" in page and "TRL logs it only where beta is above 0" in page


def test_without_rollouts_the_trainers_own_curves_remain(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.add_metrics(1, {"reward": 0.25, "rewards/final_emotion/mean": 0.5, "entropy": 2.0})
    folder.add_metrics(1, {"eval_reward": 0.3})
    page = page_of(tmp_path)
    assert "There is no rollouts.jsonl" in page and "There are no rollouts to read" in page
    assert "training: 0.25 at step 1. held out: 0.3 at step 1." in page and "final_emotion" in titles(page)
    assert "because" not in re.findall(r"Spread inside a group</h3>.*?</figure>", page, re.S)[0]


def test_without_metrics_the_dialogues_remain(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "r", steps=2)
    (folder / "metrics.jsonl").unlink()
    page = page_of(folder)
    assert "There is no metrics.jsonl" in page and "There are no metrics to draw it from" in page
    assert Elements(page).named("article", "talk")


def test_nothing_held_out_is_said(tmp_path: Path) -> None:
    assert "Nothing was measured on held-out scenarios" in page_of(make_run(tmp_path / "r", steps=2, held_out=False))


def test_a_line_without_scores_is_still_read(tmp_path: Path) -> None:
    line = {"dialogue": to_dict(hostile.dialogue("hello"))}
    (tmp_path / "rollouts.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
    page = page_of(tmp_path)
    assert "Ranked by emotion at the end" in page and len(Elements(page).named("article", "talk")) == 1


def test_no_such_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give a run folder"):
        write(tmp_path / "nowhere")


@pytest.mark.parametrize("empty", [False, True])
def test_an_empty_run_is_a_clear_error(tmp_path: Path, empty: bool) -> None:
    if empty:
        for name in ("rollouts.jsonl", "metrics.jsonl"):
            (tmp_path / name).touch()
    with pytest.raises(RecordError, match=r"no rollouts and no metrics.*not empty"):
        write(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_cut_off_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "r", steps=2)
    whole = len(read(folder).rollouts)
    content = (folder / "rollouts.jsonl").read_bytes()
    # In the middle of a letter of two bytes, too.
    for tail in (b'{"step": 3, "pha', '{"step": "é'.encode()[:-1]):
        (folder / "rollouts.jsonl").write_bytes(content + tail)
        run = read(folder)
        assert len(run.rollouts) == whole and "breaks off" in run.notes[0]


def test_a_broken_line_elsewhere_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "r", steps=1)
    path = folder / "metrics.jsonl"
    path.write_text('{"step": 1\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(RecordError, match=r"metrics\.jsonl, line 1: not JSON"):
        read(folder)


def test_what_is_no_number_is_a_gap_and_said(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": null, "kl": NaN, "entropy": 1.5}\n', encoding="utf-8")
    run = read(tmp_path)
    assert run.metrics == {1: {"entropy": 1.5}} and any("kl, loss" in note for note in run.notes)


@pytest.mark.parametrize("attack", hostile.ATTACKS)
def test_hostile_text_is_escaped_everywhere(tmp_path: Path, attack: str) -> None:
    calm = page_with(tmp_path / "calm", letters := re.sub(r"\S", "x", attack), letters)
    page = page_with(tmp_path / "hostile", attack, attack)
    # The very same elements as with calm words, and no attribute of another name.
    shape = [(name, sorted(attributes)) for name, attributes in Elements(page).found]
    assert shape == [(name, sorted(attributes)) for name, attributes in Elements(calm).found]


def page_with(folder: Path, words: str, name: str) -> str:
    rollouts = [
        Rollout(1, "train", {name: 0.5}, 0.5, hostile.dialogue(words, 0)),
        Rollout(1, "train", {name: None}, None, hostile.dialogue(words, 1, failed=True)),
    ]
    RunFolder(folder).add_rollouts(rollouts)
    return page_of(folder)


def test_text_that_no_file_can_hold_is_replaced() -> None:
    assert text("a\x00b\ud800c\x1b[0m") == "a\ufffdb\ufffdc\ufffd[0m"
    assert tag("p", "x", title='"<') == '<p title="&quot;&lt;">x</p>'
    for name in ("onclick", "a b", 'x"'):
        with pytest.raises(ValueError, match="no attribute"):
            tag("p", **{name: "x"})


def test_sections_are_a_list_that_others_may_append_to(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(run: Run) -> Markup | None:
        return tag("section", f"mine: {run.name}")

    monkeypatch.setattr("emorl.report.page.SECTIONS", [*SECTIONS, mine, lambda run: None])
    assert "<section>mine: demo</section>" in render(read(run_dir))
