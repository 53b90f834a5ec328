"""The site: it builds without a warning, no link or anchor is broken, and nothing is loaded from elsewhere."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from multimix.methods import METHODS

ROOT = Path(__file__).parent.parent
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}

in_a_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium, or set CHROMIUM"
)


class Page(HTMLParser):
    """What a page links to, what it loads, and where one can go in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag in LOADS and found.get(LOADS[tag]) and found.get("rel") != "canonical":
            self.loads.append(found[LOADS[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as `make site` builds it."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site):
    """All pages, by file."""
    found = {path: Page(path.read_text()) for path in site.rglob("*.html")}
    assert len(found) > 20
    return found


def broken(path, link, pages, site):
    """Why a link leads nowhere; empty where it leads somewhere."""
    target = urlsplit(link)
    if target.scheme or target.netloc:
        return ""
    place = site / target.path.lstrip("/") if target.path.startswith("/") else path.parent / unquote(target.path)
    file = path if not target.path else (place / "index.html" if place.is_dir() else place).resolve()
    if not file.is_file():
        return f"{path.relative_to(site)}: {link} leads nowhere"
    if target.fragment and file in pages and unquote(target.fragment) not in pages[file].anchors:
        return f"{path.relative_to(site)}: {link} has no such anchor"
    return ""


def test_no_link_or_anchor_is_broken(pages, site):
    wrong = [broken(path, link, pages, site) for path, page in pages.items() for link in (*page.links, *page.loads)]
    assert not list(filter(None, wrong))


def test_a_broken_link_would_be_found(pages, site):
    path = site / "docs" / "start" / "index.html"
    assert broken(path, "../results/#k--5-against-k--1", pages, site) == ""
    assert (
        broken(path, "../results/#nothing", pages, site)
        == "docs/start/index.html: ../results/#nothing has no such anchor"
    )
    assert broken(path, "../nowhere/", pages, site) == "docs/start/index.html: ../nowhere/ leads nowhere"


def test_nothing_is_loaded_from_elsewhere(pages, site):
    assert not [load for page in pages.values() for load in page.loads if urlsplit(load).netloc]
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text()
        assert "@import" not in style.read_text()


def test_every_method_and_every_public_name_is_there(pages, site):
    import multimix

    methods = site / "docs" / "methods" / "index.html"
    assert set(METHODS) <= pages[methods].anchors
    shown = {load.rpartition("/")[2] for load in pages[methods].loads}
    assert {"mixup.png", "cutmix.png", "puzzlemix.png"} <= shown
    described = methods.read_text()
    for name, method in METHODS.items():
        assert all(f"<code>{option.name}</code>" in described for option in fields(method)), name
    text = (site / "docs" / "design" / "index.html").read_text()
    places = {name: text.find(f'id="multimix.{name}"') for name in multimix.__all__}
    assert min(places.values()) == places["MultiMix"] > 0


def test_pages_read_as_they_were_written(pages):
    """Lists and tables that Markdown on a site takes for prose: a line before them is missing."""
    found = defaultdict(list)
    for path in pages:
        for line in path.read_text().splitlines():
            if line.startswith(("- ", "| ", "<p>- ", "<p>| ", "```")):
                found[path].append(line)
    assert not found


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_nothing_fails_and_nothing_sticks_out(site, scheme):
    from playwright.sync_api import sync_playwright

    handler = functools.partial(Silent, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://127.0.0.1:{server.server_port}"
        said: list[str] = []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
            context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
            page = context.new_page()
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: said.append(request.url) if not request.url.startswith(home) else None)
            page.on("response", lambda response: said.append(response.url) if response.status >= 400 else None)
            for place in ("/", "/docs/methods/", "/docs/design/", "/docs/results/", "/docs/should-i/", "/experiments/"):
                page.goto(home + place)
                assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
            colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, colour[4:-1].split(","))) < 300) == (scheme == "dark")
            page.goto(home)
            page.set_viewport_size({"width": 1280, "height": 900})
            page.locator("input.md-search__input").click()
            page.keyboard.type("stratified")
            page.locator(".md-search-result__link").first.wait_for()
            browser.close()
        server.shutdown()
    assert said == []


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *arguments):
        pass
