"""Build the site: `python -m docs.site [FOLDER]`; warnings are errors, and no network is needed."""

import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from docs.site.source import ROOT, write_source


def build(folder: Path) -> int:
    """Build the site into FOLDER/html; Sphinx's exit status."""
    write_source(folder / "source")
    options = ["-q", "-W", "--keep-going", "-c", str(ROOT / "docs" / "site"), "-d", str(folder / "doctrees")]
    return build_main([*options, str(folder / "source"), str(folder / "html")])


if __name__ == "__main__":
    target = Path(*(sys.argv[1:] or ["build/site"]))
    if build(target) != 0:
        sys.exit("error: the site has the faults above")
    print(f"The site: open {(target / 'html' / 'index.html').resolve().as_uri()}")
