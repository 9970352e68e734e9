"""The page in a real browser. Skipped where there is no chromium; on Debian: apt-get install -y chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from emorl.report import write
from emorl.runfolder import Rollout, RunFolder
from tests.report import hostile
from tests.report.make_run import make_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("no chromium on this machine (Debian: apt-get install -y chromium)", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402  (only where there is a browser)

# No sandbox: containers and root have none. The rest keeps the browser itself from using the network.
QUIET = ["gpu", "quic", "background-networking", "component-update", "sync"]
ARGS = ["--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{feature}" for feature in QUIET)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=ARGS, env={**os.environ, "TZ": "UTC"})
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(make_run(tmp_path_factory.mktemp("runs") / "demo"))


def opened(browser: Browser, report: Path, *, width: int = 1280, scheme: str = "light", **settings: bool) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **settings)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(10_000)
    loaded: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: loaded.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(report.as_uri())
    yield page
    context.close()
    assert errors == []
    assert loaded == [report.as_uri()]


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    yield from opened(browser, report)


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    dialogues = [hostile.dialogue(attack, k, failed=k % 2 == 1) for attack in hostile.ATTACKS for k in (0, 1)]
    rollouts = [Rollout(1, "train", {d.policy: None if d.failure else 0.5}, None if d.failure else 0.5, d) for d in dialogues]
    RunFolder(folder).add_rollouts(rollouts)
    return write(folder)


@pytest.fixture
def hostile_page(browser: Browser, hostile_report: Path) -> Iterator[Page]:
    yield from opened(browser, hostile_report, width=375)


def visible(page: Page) -> list[str]:
    return page.eval_on_selector_all(".talk:not([hidden])", "talks => talks.map(t => t.dataset.emotion)")  # type: ignore[no-any-return]


def scores(page: Page) -> list[float]:
    return [float(s) for s in page.locator(".talk:not([hidden]) .score").all_text_contents()]


def test_hostile_text_is_shown_as_it_is(hostile_page: Page) -> None:
    said = hostile_page.eval_on_selector_all(".said", "all => all.map(e => e.textContent)")
    assert set(said) == set(hostile.ATTACKS)
    assert hostile_page.evaluate("window.hacked") is None
    assert hostile_page.locator("main img, main script, main style, main link, main meta, main iframe").count() == 0
    # With everything unfolded and pointed at, too.
    hostile_page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    for chip in hostile_page.locator(".chip:visible summary").all()[:6]:
        chip.hover()
    assert hostile_page.evaluate("window.hacked") is None


def test_hostile_writing_direction_ends_with_its_box(hostile_page: Page) -> None:
    """The age after a name that turns the writing around still stands to the right of it."""
    place = """turned => [...document.querySelectorAll('.talk:not([hidden]) .head')]
        .map(head => [head.querySelector('bdi'), head.querySelector('.age')])
        .filter(([name, age]) => name.textContent === turned)
        .map(([name, age]) => name.getBoundingClientRect().right <= age.getBoundingClientRect().left + 1)"""
    hostile_page.get_by_label("Failed", exact=True).check()
    in_order = hostile_page.evaluate(place, hostile.TURNED)
    assert in_order == [True]


def test_hostile_text_does_not_widen_a_phone(hostile_page: Page) -> None:
    hostile_page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert hostile_page.evaluate("document.documentElement.scrollWidth") == 375


def test_a_script_that_slipped_in_would_not_run(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.hacked = 1'}))")
    assert page.evaluate("window.hacked") is None
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 1280])
def test_nothing_scrolls_sideways(browser: Browser, report: Path, width: int, scheme: str) -> None:
    for page in opened(browser, report, width=width, scheme=scheme):
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_best_and_worst_ten(page: Page) -> None:
    best = scores(page)
    assert len(best) == 10 and best == sorted(best, reverse=True)
    page.get_by_label("Worst ten").check()
    worst = scores(page)
    assert len(worst) == 10 and worst == sorted(worst) and max(worst) <= min(best)
    page.get_by_label("Best ten").check()
    assert scores(page) == best


def test_filter_by_emotion(page: Page) -> None:
    feeling = page.get_by_label("Feeling")
    for emotion in feeling.locator("option").evaluate_all(
        "all => all.filter(o => o.value && +o.dataset.train).map(o => o.value)"
    ):
        feeling.select_option(emotion)
        count = feeling.locator(f"option[value={emotion}]").get_attribute("data-train")
        assert set(visible(page)) == {emotion}
        assert (
            page.get_by_role("status").first.text_content()
            == f"{len(visible(page))} best of {count}, {emotion.replace('_', ' ')}"
        )
        page.get_by_label("Worst ten").check()
        worst = visible(page)
        page.get_by_label("Best ten").check()
        assert len(visible(page)) + len(worst) == min(20, int(count or 0))
    feeling.select_option("")
    assert len(visible(page)) == 10


def test_held_out_and_failed(page: Page) -> None:
    page.get_by_label("From").select_option("eval")
    assert page.eval_on_selector_all(".talk:not([hidden])", "all => all.every(t => t.dataset.phase === 'eval')")
    page.get_by_label("From").select_option("train")
    page.get_by_label("Failed", exact=True).check()
    first = page.locator(".talk:not([hidden])").first
    first.locator("summary").first.click()
    assert "timed out after 3 tries" in (first.locator(".end").text_content() or "")


def test_reasons_open_by_tap_and_by_keyboard(page: Page) -> None:
    first, second = (page.locator(".talk:not([hidden]) .chip").nth(i) for i in (0, 1))
    assert not first.locator("p").is_visible()
    first.locator("summary").click()
    assert first.locator("p").is_visible()
    second.locator("summary").focus()
    page.keyboard.press("Enter")
    assert second.locator("p").is_visible()
    page.get_by_label("All reasons").check()
    assert page.locator(".chip:not([open])").count() == 0


def test_pointing_at_a_curve_says_its_values(page: Page) -> None:
    chart = page.locator(".chart").first
    chart.locator(".column").nth(4).hover()
    assert (chart.locator(".readout").text_content() or "").startswith("step 4: training 0.")


def test_without_scripts_all_is_there(browser: Browser, report: Path) -> None:
    for page in opened(browser, report, java_script_enabled=False):
        assert page.locator(".controls").is_hidden()
        assert page.locator(".talk").first.is_visible() and page.locator(".talk").last.is_visible()


CONTRAST = """() => {
  const k = document.createElement('canvas').getContext('2d', { willReadFrequently: true }), known = {};
  const rgb = (c) => known[c] ??= (k.clearRect(0, 0, 1, 1), k.fillStyle = c, k.fillRect(0, 0, 1, 1),
    [...k.getImageData(0, 0, 1, 1).data]);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c[3] === 255) return c; }
    return [255, 255, 255]; };
  const worst = {};
  for (const e of document.querySelectorAll('body *:not(script):not(option)')) {
    if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const svg = e.closest('svg');
    const [a, b] = [light(rgb(getComputedStyle(e)[svg ? 'fill' : 'color'])), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), name = e.tagName + '.' + (e.getAttribute('class') || e.parentElement.className);
    worst[name] = Math.min(worst[name] ?? 99, ratio);
  }
  return worst;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(browser: Browser, report: Path, scheme: str) -> None:
    """WCAG AA: 4.5 to 1, for every text of the page, unfolded."""
    for page in opened(browser, report, scheme=scheme):
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        ratios: dict[str, float] = page.evaluate(CONTRAST)
        assert len(ratios) > 20
        assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}
