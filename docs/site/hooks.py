"""From a repository to a site: pages outside docs/, the files that pages link to, and a section for every method."""

import re
import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from multimix.lab.about.methods import MethodFacts, all_facts, needs, options
from multimix.lab.core.errors import UsageError
from multimix.lab.preview.make import preview
from multimix.lab.preview.settings import PreviewSettings
from multimix.methods import METHODS

ROOT = Path(__file__).parents[2]
PAGES = (
    "*.md",
    "docs/*.md",
    "benchmarks/**/*.md",
    "bridges/**/*.md",
    "examples/**/*.md",
    "experiments/**/*.md",
    "versions/**/*.md",
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
METHODS_PAGE, MARK = "docs/method-options.md", "<!-- every method -->"
PICTURES = "docs/figures/methods"
SEED = 4  # of the pictures; with it Puzzle Mix draws a grid of 8 x 8
STYLE = Path(__file__).with_name("site.css")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replaces what was found in docs/ by all pages of the repository and the files they link to, at their own paths.

    So a relative link leads to the same place on the site as in the repository, and needs no rewriting.
    """
    pages = sorted({page for pattern in PAGES for page in ROOT.glob(pattern)})
    linked = {(page.parent / target).resolve() for page in pages for target in LINK.findall(page.read_text())}
    others = [*sorted(file for file in linked - set(pages) if file.is_file()), STYLE]
    own = [file for file in files if file.src_dir != config.docs_dir]  # those of the theme
    added = [
        File(path.relative_to(ROOT).as_posix(), str(ROOT), config.site_dir, config.use_directory_urls)
        for path in (*pages, *others)
    ]
    return Files([*own, *added, *_pictures(config)])


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts a section for every method where the page of methods has its mark."""
    if page.file.src_uri != METHODS_PAGE:
        return markdown
    if MARK not in markdown:
        raise ValueError(f"{METHODS_PAGE} must hold the line {MARK}")
    drawn = {Path(file.src_uri).stem for file in files if file.src_uri.startswith(PICTURES)}
    return markdown.replace(MARK, "\n\n".join(_section(fact, fact.name in drawn) for fact in all_facts()))


def _section(fact: MethodFacts, drawn: bool) -> str:
    method = METHODS[fact.name]
    said = [f"## {fact.name}", f"`{method.__name__}({options(fact)})`", f"Mixes {'; '.join(needs(fact))}."]
    if drawn:
        said.append(f"![The path between two photographs, {fact.name}](figures/methods/{fact.name}.png)")
    only_itself = "    options: {show_root_heading: false, show_root_toc_entry: false, members: false}"
    return "\n\n".join([*said, f"::: {method.__module__}.{method.__qualname__}\n{only_itself}"])


def _pictures(config: MkDocsConfig) -> list[File]:
    """Returns a picture for every method that mixes pictures without a model."""
    from sklearn.datasets import load_sample_images

    found = []
    with tempfile.TemporaryDirectory() as folder:
        a, b = (_small(image, Path(folder) / f"{n}.png") for n, image in enumerate(load_sample_images().images))
        for name in METHODS:
            out = Path(folder) / f"{name}.out.png"
            try:
                preview(PreviewSettings(file_a=a, file_b=b, method=name, seed=SEED, out=str(out)))
            except UsageError:  # it mixes inside a model
                continue
            found.append(File.generated(config, f"{PICTURES}/{name}.png", content=out.read_bytes()))
    return found


def _small(image: object, path: Path) -> str:
    from PIL import Image

    picture = Image.fromarray(image)  # type: ignore[arg-type]
    picture.thumbnail((240, 240))
    picture.save(path)
    return str(path)
