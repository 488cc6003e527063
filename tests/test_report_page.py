"""A report's page in headless Chromium, opened from disk: it sorts, filters, plays, says values and prints."""

import base64
import time

import pytest

from gan_lightning.report.page import write_report
from tests.browser import DESKTOP, PHONE, Browser, needs_chromium
from tests.reports import write_study

pytestmark = [pytest.mark.slow, needs_chromium]


class StillBrowser(Browser):
    """A page that is drawn as soon as it is loaded."""

    def rest(self) -> None:
        pass


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("study"))
    return write_report([folder], folder / "report.html")[0]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = StillBrowser(tmp_path_factory.mktemp("downloads"))
    yield browser
    browser.driver.quit()


def names(browser: Browser) -> list[str]:
    """The arms of the first table that are shown, from above."""
    return [row.text for row in browser.all(".comparison:first-of-type tbody tr:not([hidden]) th")[:2]]


def test_the_page_opens_at_every_width_without_an_error(browser, page):
    for size, dark in ((DESKTOP, False), (PHONE, True)):
        browser.open(page, size, dark)
        assert browser.run("return document.documentElement.scrollWidth") <= size[0]
        assert browser.errors() == []
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    browser.open(page)
    assert browser.run("return getComputedStyle(document.body).backgroundColor") != background


def test_a_heading_sorts_up_and_down_and_a_word_filters(browser, page):
    browser.open(page)
    heading = ".comparison:first-of-type thead th:nth-child(3) button"
    browser.click(heading)
    assert names(browser) == ["wgan_gp", "wgan"]
    browser.click(heading)
    assert names(browser) == ["wgan", "wgan_gp"]
    browser.press(".comparison:first-of-type .filter", "_gp")
    assert names(browser) == ["wgan_gp"]


def test_curves_change_their_axis_say_their_values_and_can_be_hidden(browser, page):
    browser.open(page)
    browser.click("[data-budget=seconds]")
    assert [view.is_displayed() for view in browser.all("#curves [data-view]")] == [False, False, True]
    browser.run("document.querySelector('#curves').scrollIntoView()")
    browser.run(
        """const curve = document.querySelector("#curves [data-view=seconds] [data-curve=wgan_gp]");
        const circle = curve.querySelector("circle:last-of-type");
        const box = circle.getBoundingClientRect();
        const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2, bubbles: true };
        circle.ownerSVGElement.dispatchEvent(new PointerEvent("pointermove", at));"""
    )
    assert browser.find("#curves .value").text == "wgan_gp: 6.27 (5.1 to 7, 3 seeds) after 8 seconds of training"
    browser.click("button[data-curve=wgan]")
    curves = browser.all("#curves [data-view=seconds] g.curve")
    assert {curve.get_attribute("data-curve"): curve.is_displayed() for curve in curves} == {
        "wgan": False,
        "wgan_gp": True,
    }


def test_images_of_all_runs_go_to_one_step(browser, page):
    browser.open(page)
    source = "return [...document.querySelectorAll('.wall img')].map((image) => image.src)"
    last = browser.run(source)
    browser.run("const time = document.getElementById('time'); time.value = 0; time.oninput()")
    first = browser.run(source)
    assert browser.find("#step").text == "0 steps" and all(a != b for a, b in zip(first, last, strict=True))
    browser.click("#play")
    deadline = time.monotonic() + 30
    while browser.find("#play").text != "Play" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert browser.run(source) == last


def test_the_page_prints_on_a_few_sheets(browser, page):
    browser.open(page)
    content = base64.b64decode(browser.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert content.startswith(b"%PDF") and 1 <= content.count(b"/Type /Page\n") <= 8
