"""The documentation site: it is built without a warning, holds together, and says all that the code says."""

import html
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

import gan_lightning
from docs.site.api import PAGES
from docs.site.source import name_on_site, relink
from gan_lightning.__main__ import MODULES
from gan_lightning.cli.options import CommandOptions
from gan_lightning.config.compose import CONF_DIR, groups, leaves, options
from tests.helpers import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built by a process of its own, since Sphinx changes what it documents; its warnings are errors."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "docs.site", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"The site: open {(folder / 'html' / 'index.html').as_uri()}\n"
    return folder / "html"


class Page(HTMLParser):
    """What a page links to, what it loads to be shown, and the places in it that can be linked."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.places: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        elif tag == "link" and given.get("rel") not in ("index", "search", "next", "prev", "canonical"):
            self.loads.add(given["href"])
        self.loads |= {given[name] for name in ("src", "srcset", "poster", "data") if name in given and tag != "option"}


@cache
def read(file: Path) -> Page:
    return Page(file)


def html_pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def text_of(file: Path) -> str:
    """A page's text, without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", file.read_text(encoding="utf-8"))).split())


def test_every_link_and_picture_leads_somewhere(site):
    for page in html_pages(site):
        for link in read(page).links | read(page).loads:
            address = urlsplit(link)
            if address.scheme in ("https", "mailto", "data"):
                continue
            target = (page.parent / unquote(address.path)).resolve() if address.path else page
            assert target.is_file(), f"{page.relative_to(site)}: {link}"
            if address.fragment and target.suffix == ".html":
                assert unquote(address.fragment) in read(target).places, f"{page.relative_to(site)}: {link}"


def test_nothing_is_loaded_from_another_host(site):
    for page in html_pages(site):
        outside = {link for link in read(page).loads if re.match(r"(\w+:)?//", link)}
        assert not outside, f"{page.relative_to(site)}: {outside}"
    for style in site.rglob("*.css"):
        outside = r"@import[^;]+//|url\(\s*[\"']?(?:\w+:)?//[^)]+"
        assert not re.findall(outside, style.read_text(encoding="utf-8")), style


def test_every_page_of_docs_is_on_the_site(site):
    for file in (ROOT / "docs").rglob("*.md"):
        name = name_on_site(file.relative_to(ROOT).as_posix())
        assert (site / name).with_suffix(".html").is_file()


def own_keys(file: Path) -> list[str]:
    """The options that a file of conf/ states, in the places of a whole configuration."""
    text = file.read_text()
    content = {key: value for key, value in (yaml.safe_load(text) or {}).items() if key not in ("defaults", "hydra")}
    package = re.search(r"^# @package (\S+)", text, re.MULTILINE)
    place = package[1] if package else file.relative_to(CONF_DIR).parts[0]
    above = "" if place == "_global_" or file.parent == CONF_DIR else place
    return [key for key, value in leaves(content, above) if not key.rpartition(".")[2].startswith("_") and value != {}]


@pytest.mark.parametrize("group", groups())
def test_every_choice_and_option_is_in_the_reference(site, group):
    page = site / "reference" / "configuration" / f"{group}.html"
    sections = re.split(r'<section id="', page.read_text(encoding="utf-8"))
    for name, first_line in options(group).items():
        (section,) = (
            each
            for each in sections
            if "<h2><code" in each and f'<span class="pre">{name}</span>' in each.split("</h2>")[0]
        )
        assert " ".join(first_line.split())[:30] in html.unescape(re.sub(r"<[^>]+>", "", section)).replace(
            "\u2019", "'"
        )
        for key in own_keys(CONF_DIR / group / f"{name}.yaml"):
            (row,) = re.findall(
                rf'<tr class="[^"]*"><td><p><code[^>]*><span class="pre">{re.escape(key)}</span>.*?</tr>',
                section,
                re.DOTALL,
            )
            assert not re.search(r"<td>(<p></p>)?</td>\s*</tr>", row), f"{group}={name}: {key} is not explained"


def test_the_options_of_every_run_are_in_the_reference(site):
    text = text_of(site / "reference" / "configuration.html")
    for key in own_keys(CONF_DIR / "train.yaml"):
        assert f" {key} " in text
    for group in groups():
        assert f" {group}= " in text


@pytest.mark.parametrize("command", MODULES)
def test_every_command_and_its_options_are_in_the_reference(site, command):
    page = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    section = page.split(f'<section id="{command}">')[1].split("</section>")[0]
    schema: type[CommandOptions] = __import__(f"gan_lightning.cli.{MODULES[command]}", fromlist=["Options"]).Options
    for name, field in schema.model_fields.items():
        row = section.split(f'<span class="pre">{name}=</span>')[1].split("</tr>")[0]
        assert re.sub(r"\W", "", field.description or "") in re.sub(
            r"\W", "", html.unescape(re.sub(r"<[^>]+>", "", row))
        )


def test_every_public_name_is_in_the_reference(site):
    places = read(site / "reference" / "api" / "python.html").places
    assert {f"gan_lightning.{name}" for name in gan_lightning.__all__} <= places
    for page, (_, _, modules) in PAGES.items():
        places = read(site / "reference" / "api" / f"{page}.html").places
        for module in modules:
            assert any(place.startswith(f"gan_lightning.{module}") for place in places), module


def test_the_changelog_has_this_version():
    assert f"\n## {gan_lightning.__version__} (" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("origin", "written", "on_the_site"),
    [
        ("docs/faq.md", "[x](scores.md#a)", "[x](scores.md#a)"),
        ("docs/models/gan.md", "![](../pictures/a.png)", "![](../pictures/a.png)"),
        ("docs/extending.md", "[x](../README.md#adding-a-loss)", "[x](adding_a_loss.md#adding-a-loss)"),
        ("docs/models/gan.md", "[x](../../conf/loss/kl.yaml)", "[x](../reference/configuration/loss.md#kl)"),
        ("notebooks/1_first.ipynb", "[x](../docs/scores.md)", "[x](../scores.md)"),
        ("CONTRIBUTING.md", "[x](docs/faq.md), [y](https://a.b/c.md)", "[x](faq.md), [y](https://a.b/c.md)"),
    ],
)
def test_links_are_led_to_their_places(origin, written, on_the_site):
    assert relink(written, origin) == on_the_site


def test_a_link_to_what_is_not_on_the_site_is_refused():
    with pytest.raises(ValueError, match=r"^tests/helpers.py has no place on the site: add it to ELSEWHERE"):
        relink("[x](../tests/helpers.py)", "docs/faq.md")
