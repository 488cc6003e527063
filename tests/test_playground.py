"""The page in headless Chromium, opened from disk: real clicks, keys and drags change what it shows."""

import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from gan_lightning.export import read_run
from gan_lightning.export.page import Shown, make_page
from gan_lightning.export.reference import reference_of
from gan_lightning.models.conditioning import ClassLabels, LatentCodes
from gan_lightning.sampling import Sampler
from tests.browser import DESKTOP, PHONE, Browser, needs_chromium
from tests.exports import facts_of, sampler_of

pytestmark = [pytest.mark.slow, needs_chromium]

SHAPE = (1, 28, 28)

NAMES = ["T-shirt/top", "<img src=x onerror=alert(1)>", "</script>"]


@pytest.fixture(scope="module")
def digits(finished) -> Shown:
    """A generator conditional on three classes, with strange names, and the classifier of digits."""
    sampler = sampler_of("mlp", ClassLabels(3, "none"), SHAPE, hidden=[16])
    facts = facts_of({"_target_": "x.MLPGenerator"}, {}, sampler, SHAPE, NAMES)
    return Shown("<b>first</b>", sampler, facts, reference_of(read_run(str(finished.path)).facts))


@pytest.fixture(scope="module")
def coded() -> list[Shown]:
    """Two generators of the same latent codes, without a classifier; the images of B are the negatives of A's."""
    sampler = sampler_of("mlp", LatentCodes(0, 3, 2), SHAPE, hidden=[16])
    other = sampler_of("mlp", LatentCodes(0, 3, 2), SHAPE, hidden=[16])
    with torch.no_grad():
        last = [layer for layer in other.generator.modules() if isinstance(layer, torch.nn.Linear)][-1]
        last.weight.neg_()
        last.bias.neg_()
    return [
        Shown(name, each, facts_of({"_target_": "x.MLPGenerator"}, {}, each, SHAPE))
        for name, each in (("A", sampler), ("B", other))
    ]


@pytest.fixture(scope="module")
def downloads(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads):
    browser = Browser(downloads)
    yield browser
    browser.driver.quit()


@pytest.fixture(scope="module")
def pages(digits, coded, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, runs in (("digits", [digits]), ("coded", coded)):
        (folder / f"{name}.html").write_text(make_page(runs).text)
    return {name: folder / f"{name}.html" for name in ("digits", "coded")}


@pytest.fixture
def page(browser, pages) -> Browser:
    """The page of digits, just opened; the console has said nothing when the test ends."""
    browser.open(pages["digits"])
    yield browser
    assert browser.errors() == []


@pytest.fixture
def two(browser, pages) -> Browser:
    """The page of two runs."""
    browser.open(pages["coded"])
    yield browser
    assert browser.errors() == []


def drawn(sampler: Sampler, count: int, seed: int) -> torch.Tensor:
    """What PyTorch draws, as a canvas has it."""
    return sampler.sample(count, seed).expand(-1, 3, -1, -1)


def difference(one: torch.Tensor, other: torch.Tensor) -> int:
    assert one.shape == other.shape
    return (one.int() - other.int()).abs().max().item()


GRID, ONE, MIDDLE = "#grid canvas", "#one canvas", "#middle canvas"


def test_a_seed_draws_what_pytorch_does(page, digits):
    from selenium.webdriver import Keys

    assert difference(page.pixels(GRID), drawn(digits.sampler, 18, 0)) <= 1
    page.click("#next-seed")
    assert difference(page.pixels(GRID), drawn(digits.sampler, 18, 1)) <= 1
    page.press("#seed", Keys.CONTROL + "a" + Keys.NULL, "1234567890", Keys.TAB)
    assert difference(page.pixels(GRID), drawn(digits.sampler, 18, 1234567890)) <= 1
    page.click("#grid button:nth-child(5)")
    assert torch.equal(page.pixels(ONE)[0], page.pixels(GRID)[4])


def test_the_grid_is_drawn_anew_while_a_slider_moves(page, digits):
    from selenium.webdriver import Keys

    before = page.pixels(GRID)
    page.press("#truncation", Keys.HOME)
    assert difference(page.pixels(GRID)[3:], page.pixels(GRID)[:-3]) == 0  # one image for each class
    page.press("#truncation", Keys.END, *[Keys.ARROW_LEFT] * 10)
    assert torch.equal(page.pixels(GRID), before)
    page.drag("#directions input", (0.5, 0.5), (0.9, 0.5))
    after = page.pixels(GRID)
    assert all(difference(a, b) > 1 for a, b in zip(before, after, strict=True))
    assert torch.equal(page.pixels(ONE)[0], after[0])
    page.click("#reset")
    assert torch.equal(page.pixels(GRID), before)


def test_a_class_is_picked_by_its_name(page, digits):
    buttons = page.all("[aria-label=Class] button")
    assert [button.text for button in buttons] == ["all", *NAMES]
    buttons[2].click()
    page.rest()
    inputs = digits.sampler.sample_inputs(18, 0)
    ones = inputs._replace(y=torch.eye(3)[[1] * 18])
    expected = digits.sampler.generate(ones).add(1).mul(127.5).round().byte().expand(-1, 3, -1, -1)
    assert difference(page.pixels(GRID), expected) <= 1


def test_the_reference_classifier_names_the_class_of_each_image(page, digits):
    with torch.no_grad():
        images = digits.sampler.sample(18, 0).float() / 127.5 - 1
        expected = digits.reference.network(images)
    sure = expected.topk(2).values.diff().abs().squeeze(1) > 0.05  # no tie that rounding decides
    named = [cell.get_attribute("title").partition(",")[0] for cell in page.all("#grid button")]
    assert sure.sum() > 5
    assert all(int(name) == best for name, best, ok in zip(named, expected.argmax(1).tolist(), sure, strict=True) if ok)
    bars = page.all("#one .bars li span:first-child")
    assert len(bars) == 5 and (not sure[0] or bars[0].text == named[0])


def test_the_map_is_colored_by_class_and_a_click_moves_there(page):
    from selenium.webdriver import Keys

    corner = page.pixels("#map")[0][:, :28, -28:]
    page.drag("#map", (0.5, 0.5), (0.99, 0.01))
    moved = page.run("return state.moves")
    assert moved[0] > 3.9 and moved[1] > 3.9 and not any(moved[2:])
    assert [output.text for output in page.all("#directions output")[:2]] == ["4.00", "4.00"]
    best = page.find("#one .bars li span:first-child").text
    color = torch.tensor(page.run("return rgbOf(arguments[0])", int(best)))
    value = page.pixels(ONE)[0].float()
    expected = value + color.view(3, 1, 1) * (255 - value) / 255  # light where the image is, else of the class's color
    assert (corner.float() - expected).abs().max() <= 2
    page.press("#map", Keys.ARROW_LEFT, Keys.ARROW_DOWN)
    assert page.run("return state.moves").count(3.5) == 2
    page.find("#x-axis").send_keys("Direction 2")
    page.rest()
    assert page.run("return plane.axes") == [1, 0]


def test_the_way_between_pins_ends_at_them(page):
    from selenium.webdriver import Keys

    assert torch.equal(page.pixels("#pins canvas"), page.pixels(GRID)[:2])
    for number in (4, 6):
        page.click(f"#grid button:nth-child({number})")
        page.click("#pin")
    assert torch.equal(page.pixels("#pins canvas"), page.pixels(GRID)[[0, 1, 3, 5]])
    page.press("#position", Keys.HOME)
    assert torch.equal(page.pixels(MIDDLE)[0], page.pixels(GRID)[0])
    page.press("#position", Keys.END)
    assert torch.equal(page.pixels(MIDDLE)[0], page.pixels(GRID)[5])
    page.drag("#strip", (0.9, 0.5), (0.3, 0.5))
    assert 0.25 < float(page.find("#position").get_attribute("value")) < 0.35
    page.click("#pins figure:nth-child(2) button")
    assert torch.equal(page.pixels("#pins canvas"), page.pixels(GRID)[[0, 3, 5]])
    page.find("#play").click()
    time.sleep(0.5)
    page.find("#play").click()
    page.rest()


def test_pictures_are_saved_as_png(page, downloads):
    sizes = {"image": (112, 112), "samples-0": (3 * 120 - 8, 6 * 120 - 8), "between": (9 * 120 - 8, 112)}
    for button, (name, size) in zip(("#save-one", "#save-grid", "#save-strip"), sizes.items(), strict=True):
        page.click(button)
        wait_for(downloads / f"{name}.png")
        with Image.open(downloads / f"{name}.png") as picture:
            assert picture.format == "PNG" and picture.size == size


def wait_for(file: Path, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not file.is_file() and time.monotonic() < end:
        time.sleep(0.05)


def test_a_code_has_a_slider(two):
    from selenium.webdriver import Keys

    before = two.pixels(GRID)
    code = two.all("#choices input")[1]
    assert two.find("#choices output").text == "random"
    code.send_keys(Keys.END)
    two.rest()
    assert all(difference(a, b) > 1 for a, b in zip(before, two.pixels(GRID), strict=True))
    assert all(abs(y - 2) < 1e-6 for y in two.run("return state.samples.map((_, i) => inputsOf(i).y[4])"))


def test_runs_are_shown_at_the_same_latent_point(two, coded):
    first, second = two.pixels(ONE)
    assert difference(first, 255 - second) <= 1
    two.drag("#directions input", (0.5, 0.5), (0.2, 0.5))
    moved, other = two.pixels(ONE)
    assert difference(moved, 255 - other) <= 1 and difference(moved, first) > 1
    two.click("#reset")
    two.all("#choices button")[1].click()
    two.rest()
    assert difference(two.pixels(GRID), drawn(coded[1].sampler, 18, 0)) <= 1
    assert not two.find("#opinions").is_displayed()  # these have no classifier


@pytest.mark.parametrize("name", ["digits", "coded"])
@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop", "phone"])
def test_the_page_fits_and_every_control_has_a_name(browser, pages, name, size, dark):
    browser.open(pages[name], size, dark)
    assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    outside = browser.run(
        "return [...document.querySelectorAll('body *')].filter((each) => !each.closest('.scroll') && "
        "each.getBoundingClientRect().right > innerWidth).map((each) => each.outerHTML.slice(0, 100))"
    )
    assert outside == []
    controls = browser.all("button, input, select, #map")
    unnamed = [control.get_attribute("outerHTML") for control in controls if not control.accessible_name]
    assert unnamed == [] and all(browser.run("return arguments[0].tabIndex", each) == 0 for each in controls[:5])
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is not dark
    assert browser.errors() == []
