"""A page opened from disk in headless Chromium, and what its controls show."""

import base64
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

CHROMIUM, DRIVER = (next(filter(None, map(shutil.which, names)), "") for names in (
    ("chromium", "chromium-browser", "google-chrome"), ("chromedriver",),
))  # fmt: skip

needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not installed (apt-get install chromium-driver)"
)

DESKTOP, PHONE = (1280, 900), (390, 844)


class Browser:
    """Headless Chromium.

    Args:
        downloads: Folder for what a page saves.
    """

    def __init__(self, downloads: Path) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"):
            options.add_argument(word)
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        self.driver.set_script_timeout(120)

    def open(self, page: Path, size: tuple[int, int] = DESKTOP, dark: bool = False) -> None:
        """Open a file at a size of the window, and wait until it has drawn everything."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(page.as_uri())
        self.rest()

    def rest(self) -> None:
        """Wait until everything that was asked for is drawn."""
        error = self.driver.execute_async_script(
            """const done = arguments[arguments.length - 1], started = performance.now();
            (function look() {
              const failure = document.getElementById("failure");
              if (!failure.hidden) done(failure.textContent);
              else if (typeof state !== "undefined" && state.samples.length) atRest().then(() => done(""));
              else setTimeout(look, 20);
            })();"""
        )
        assert error == ""

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a script's return statement."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> Any:
        """The first element that a CSS selector names."""
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        """Every element that a CSS selector names."""
        return self.driver.find_elements("css selector", selector)

    def click(self, selector: str) -> None:
        """Click an element with the mouse, and wait until all is drawn."""
        self.find(selector).click()
        self.rest()

    def press(self, selector: str, *keys: str) -> None:
        """Press keys on an element, and wait until all is drawn."""
        self.find(selector).send_keys(*keys)
        self.rest()

    def drag(self, selector: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse on an element and move it, both as shares of its width and height, and wait."""
        from selenium.webdriver import ActionChains

        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        width, height = element.size["width"], element.size["height"]
        x, y = ((share - 0.5) * side for share, side in zip(start, (width, height), strict=True))
        by = ((b - a) * side for a, b, side in zip(start, end, (width, height), strict=True))
        actions = ActionChains(self.driver).move_to_element_with_offset(element, x, y).click_and_hold()
        actions.move_by_offset(*by).release().perform()
        self.rest()

    def pixels(self, selector: str) -> torch.Tensor:
        """The pixels of the canvases that a CSS selector names, uint8 (N, 3, H, W)."""
        script = "return [...document.querySelectorAll(arguments[0])].map((canvas) => canvas.toDataURL().split(',')[1])"
        files = (io.BytesIO(base64.b64decode(text)) for text in self.run(script, selector))
        return torch.stack([pil_to_tensor(Image.open(file).convert("RGB")) for file in files])

    def errors(self) -> list[str]:
        """What the console says, since it was last read."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def screenshot(self, file: Path) -> None:
        """A picture of the whole page."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        asked = {"captureBeyondViewport": True, "clip": clip}
        file.write_bytes(base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", asked)["data"]))
