"""The page as a browser shows it, and what it says."""

import os
import re
import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from reported import everything, made_up, made_up_variance, settings

from multimix.lab.command_line.main import main

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
# Nothing but the page: no updates, no reports, no first steps.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]

in_a_browser = pytest.mark.skipif(
    CHROMIUM is None or find_spec("playwright") is None,
    reason="no Chromium, or no playwright: apt-get install chromium, or set CHROMIUM; pip install playwright",
)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """A page of two sources: two data sets, and a comparison with everything measured."""
    out = tmp_path_factory.mktemp("page")
    methods = ("mixup", "cutmix", "manifold")
    first = made_up(settings(out / "first", methods=methods, seeds=6), everything)
    second = made_up(settings(out / "second", data=("digits", "synthetic"), model="mlp", seeds=1))
    shutil.rmtree(second / "synthetic-none-s0")
    made_up_variance(out / "variance")
    files = f"{out / 'r.json'},{out / 'r.html'}"
    assert main(["report", str(first), str(second), str(out / "variance"), "-o", files]) == 0
    return out / "r.html"


@pytest.fixture(scope="module")
def browser():
    """One for all tests, which open windows of their own: to start it takes longer than to look at a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@contextmanager
def opened(browser, page_file: Path, **settings):
    """Yields the page and what went on behind it: messages of its console, and requests."""
    said: list[str] = []
    context = browser.new_context(**settings)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url[:5] != "data:" else None)
    page.goto(page_file.as_uri())
    yield page, said
    context.close()


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_loaded_nothing_fails_and_nothing_sticks_out(browser, page_file, scheme):
    with opened(browser, page_file, viewport={"width": 390, "height": 844}, color_scheme=scheme) as (page, said):
        assert said == [page_file.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        # What is wider than the screen scrolls in a box of its own.
        wide = page.evaluate("[...document.querySelectorAll('.scroll')].some(box => box.scrollWidth > box.clientWidth)")
        assert wide
        colours = page.evaluate(
            "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
        )
        ink, paper = (sum(map(int, re.findall(r"\d+", colour))) for colour in colours)
        assert (ink > paper) == (scheme == "dark")


@in_a_browser
def test_the_slider_moves_along_the_path(browser, page_file):
    with opened(browser, page_file, viewport={"width": 1280, "height": 900}) as (page, said):
        slider = page.locator(".paths input").first
        shown = page.locator(".paths").first.locator(".strip span:visible")

        def labels():
            return [text.split("\n")[-1].strip() for text in shown.all_inner_texts()]

        middle = labels()
        slider.focus()
        page.keyboard.press("Home")
        assert labels() == ["1.00 x + 0.00 x′"] * 2  # MixUp and CutMix; manifold mixes inside
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        assert labels() == middle
        page.keyboard.press("End")
        assert labels() == ["0.00 x + 1.00 x′"] * 2
        assert said == [page_file.as_uri()]


@in_a_browser
def test_tables_are_sorted_by_a_click_and_opened_on_paper(browser, page_file):
    with opened(browser, page_file, viewport={"width": 1280, "height": 900}) as (page, said):
        table = page.locator("table").first
        number = table.locator("th").all_inner_texts().index("K")

        def column():
            return [row.locator("td").nth(number).inner_text() for row in table.locator("tbody tr").all()]

        before = column()
        click = table.locator("th button").nth(number).click
        click()
        assert column() == sorted(before, key=int) != before
        click()
        assert column() == sorted(before, key=int, reverse=True)
        click()
        assert column() == before
        assert page.locator("details:not([open])").count() > 0
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("details:not([open])").count() == 0
        assert said == [page_file.as_uri()]


@in_a_browser
def test_without_scripts_and_on_paper_the_path_is_a_strip(browser, page_file, tmp_path):
    with opened(browser, page_file, java_script_enabled=False) as (page, _):
        assert page.locator(".paths").first.locator(".strip img:visible").count() == 2 * 11
        assert page.locator(".slider:visible").count() == 0
    with opened(browser, page_file) as (page, _):
        page.emulate_media(media="print")
        assert page.locator(".paths").first.locator(".strip img:visible").count() == 2 * 11
        assert page.locator(".slider:visible").count() == 0
        page.pdf(path=tmp_path / "page.pdf", format="A4")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")


def test_the_page_is_one_file_of_moderate_size(page_file):
    html = page_file.read_text()
    assert len(html) < 2_000_000
    assert not re.search(r'(?:src|href)="(?!data:image/png;base64,|#)', html)
    assert not re.search(r"@import|url\((?!#)", html)
    assert "#0303" not in html  # every stand-in colour was replaced


def test_the_page_says_what_it_must(page_file):
    html = page_file.read_text()
    for heading in ("Results", "Calibration", "Robustness", "How sure: differences of error", "Costs", "Reliability"):
        assert re.search(rf"<h\d[^>]*>{heading}", html), heading
    assert "Test &amp; Co &lt;1%&gt;" in html
    assert "core-hours of training" in html
    assert "manifold mixes inside the model" in html
    assert "No path is shown: the samples are no pictures." in html  # points in the plane
    assert "Gradient variance: variance" in html
    assert "III.1 (stratified, λ per pair): holds; V / V(K = 1) = ▼ 0.20 at K = 5" in html
    assert "III.2 (stratified, λ per pair): does not hold" in html
    assert "K = 5 from as many pairs, K = 1 from as many rows; by the closed form for" in html
    assert "coefficients K = unbounded" in html
    assert "floor: K to infinity" in html
    assert "multimix variance --out variance" in html
    assert "not run" in html
    assert html.count("multimix compare --out") == 2


def test_data_that_cannot_be_opened_are_no_hindrance(tmp_path, capsys):
    folder = made_up(settings(tmp_path / "far", data=("fsdd",), seeds=1))
    assert main(["report", str(folder), "--samples", "fsdd"]) == 0
    html = (folder / "report.html").read_text()
    assert "No path is shown, as the data cannot be opened here: fsdd must be a copy" in html
    assert 'class="strip"' not in html


def test_a_results_file_gives_the_same_page(page_file, tmp_path):
    again = tmp_path / "again.html"
    assert (
        main(["report", str(page_file.with_suffix(".json")), str(page_file.parent / "variance"), "-o", str(again)]) == 0
    )
    assert again.read_text() == page_file.read_text()
