"""What the fuzzers read and damage, made once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.files import Case, make_cases
from tests.fuzz.places import make_places


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Iterator[dict[str, Path]]:
    """A run, samples and pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
        yield make_places(tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache whose files may be damaged."""
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory, places: dict[str, Path], own_cache: Path) -> list[Case]:
    """Every kind of file, and what reads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_LIGHTNING_CACHE", str(own_cache))
        return make_cases(tmp_path_factory.mktemp("files"), places)
