"""The pages of the site as Sphinx reads them: those of docs/, what stands elsewhere, and those written from the code.

All pages read well on a plain git host; here links that leave docs/ are led to their places on the site, and the
navigation is added.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from docs.site import api, commands, configuration
from docs.site.markdown import wrap_options

ROOT = Path(__file__).parent.parent.parent

ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "README.md": "adding_a_loss.md",  # its section of this name
    "gan_lightning/evaluation/weights/README.md": "reference_classifiers.md",
}
"""Pages that do not stand in docs/, and their names on the site."""

CARDS = ROOT / "gan_lightning" / "pretrained"
"""The folder of the model cards of generators that come with the project, and of their pictures."""

FOLDERS = {"docs/": "", "notebooks/": "tutorials/", "gan_lightning/pretrained/": "pretrained/"}
"""Folders whose files stand on the site, and where."""

NAVIGATION = {
    "First steps": ["getting_started", "tutorials", "data", "faq"],
    "Models": ["models", "recipes", "objectives", "mistakes"],
    "After training": ["python", "export", "scores", "study", "sweeps", "report"],
    "Under the hood": ["speed", "reliability", "architecture", "hand_written"],
    "Extend": ["extending", "adding_a_loss", "contributing"],
    "Reference": ["reference/commands", "reference/configuration", "reference/api", "changelog"],
}
"""Headings of the navigation, and their pages."""

BELOW = {
    "models.md": ["models/*", "began"],
    "export.md": ["pretrained/*"],
    "scores.md": ["evidence/README", "reference_classifiers"],
    "evidence/README.md": ["evidence/mnist", "evidence/fashion_mnist"],
    "reference/configuration.md": ["reference/configuration/*"],
}
"""Pages that stand below another in the navigation, as patterns."""


def write_source(folder: Path) -> None:
    """Write every page and picture into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder, ignore=shutil.ignore_patterns("site", "__pycache__", "*.md"))
    shutil.copytree(CARDS, folder / "pretrained", ignore=shutil.ignore_patterns("*.md", "*.safetensors"))
    for name, text in pages():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + navigation(name), encoding="utf-8")


def pages() -> Iterator[tuple[str, str]]:
    """Name on the site and text of each page."""
    for file in [*sorted((ROOT / "docs").rglob("*.md")), *sorted(CARDS.glob("*.md"))]:
        origin = file.relative_to(ROOT).as_posix()
        text = relink(file.read_text(encoding="utf-8"), origin)
        yield name_on_site(origin), mark_option_tables(link_configuration(text, origin))
    for origin, name in ELSEWHERE.items():
        text = (ROOT / origin).read_text(encoding="utf-8")
        yield name, relink(text if origin != "README.md" else section(text, "Adding a loss"), origin)
    for notebook in notebooks():
        origin = notebook.relative_to(ROOT).as_posix()
        yield name_on_site(origin), relink(notebook.read_text(encoding="utf-8"), origin)
    if notebooks():
        yield "tutorials.md", TUTORIALS
    for generated in (api, commands, configuration):
        yield from generated.pages()


TUTORIALS = """# Tutorials

Notebooks, shown as they were last run. To run one yourself, open it from the folder `notebooks/` of a checkout with
Jupyter.
"""


def notebooks() -> list[Path]:
    """The tutorials."""
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def section(text: str, heading: str) -> str:
    """One section of a page, as a page."""
    return f"# {heading}\n" + text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


# Links


def name_on_site(origin: str) -> str:
    """The name on the site of a file of this repository.

    Raises:
        ValueError: The site has no such page.
    """
    if origin in ELSEWHERE:
        return ELSEWHERE[origin]
    if choice := re.fullmatch(r"conf/(\w+)/([\w/]+)\.yaml", origin):
        return f"reference/configuration/{choice[1]}.md#{configuration.slug(choice[2])}"
    for folder, there in FOLDERS.items():
        if origin.startswith(folder):
            return there + origin.removeprefix(folder)
    raise ValueError(f"{origin} has no place on the site: add it to ELSEWHERE in docs/site/source.py")


def relink(text: str, origin: str) -> str:
    """A page's text, its links to other files of the repository led to their places on the site."""

    def replace(link: re.Match[str]) -> str:
        target = os.path.normpath(os.path.join(os.path.dirname(origin), link[1]))  # noqa: PTH118, PTH120
        return f"]({relative(name_on_site(target.replace(os.sep, '/')), name_on_site(origin))}{link[2] or ''})"

    return re.sub(r"\]\((?!https?:|attachment:|data:)([^)#\s]+)(#[^)]*)?\)", replace, text)


def relative(target: str, page: str) -> str:
    """A link from one page of the site to another."""
    return os.path.relpath(target, os.path.dirname(page) or ".").replace(os.sep, "/")  # noqa: PTH120


def link_configuration(text: str, origin: str) -> str:
    """A page whose mentions of a choice's file, as code, lead to its section in the reference."""

    def replace(mention: re.Match[str]) -> str:
        if not (ROOT / mention[1]).is_file():
            return mention[0]
        return f"[`{mention[1]}`]({relative(name_on_site(mention[1]), name_on_site(origin))})"

    return re.sub(r"(?<!\[)`(conf/\w+/[\w/]+\.yaml)`", replace, text)


def mark_option_tables(text: str) -> str:
    """A page whose tables of options are shown as those of the reference are."""
    tables = r"^\| option \|.*\n(?:\|.*\n)+"
    return re.sub(tables, lambda found: wrap_options(found[0]), text, flags=re.MULTILINE)


# Navigation


def navigation(name: str) -> str:
    """What a page says of the pages below it; the start page of all."""
    if name == "index.md":
        return "".join(toctree(listed, caption) for caption, listed in NAVIGATION.items())
    if name == "tutorials.md":
        return toctree([f"tutorials/{notebook.stem}" for notebook in notebooks()], visible=True)
    if name == "reference/api.md":
        return toctree(["reference/api/python", *(f"reference/api/{page}" for page in api.PAGES)], visible=True)
    return toctree(BELOW[name]) if name in BELOW else ""


def toctree(listed: list[str], caption: str = "", visible: bool = False) -> str:
    """Sphinx's list of pages."""
    there = [name for name in listed if name != "tutorials" or notebooks()]
    options = [
        ":glob:",
        ":maxdepth: 1",
        *([] if visible else [":hidden:"]),
        *([f":caption: {caption}"] * bool(caption)),
    ]
    return "\n\n```{toctree}\n" + "\n".join([*options, "", *(f"/{name}" for name in there)]) + "\n```\n"
