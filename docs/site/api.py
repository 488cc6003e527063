"""The API reference: which modules and names each page documents, from their docstrings."""

from collections.abc import Iterator

PYTHON = ("load", "train", "Generator", "Run", "Projection", "UserError")

PAGES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "losses": (
        "Losses",
        "What ``loss=`` chooses: on logits, keyword-only, a scalar out.",
        ("losses", "f_divergences"),
    ),
    "penalties": ("Penalties and augmentation", "What ``penalty=`` and ``augment=`` choose.", ("penalties", "augment")),
    "networks": (
        "Networks",
        "What ``network=`` chooses, and what is put around a discriminator.",
        ("networks", "networks.heads", "networks.layers"),
    ),
    "models": (
        "Models and their parts",
        "Algorithm 1, and the parts that a variant is a choice of.",
        (
            "models",
            "models.auxiliary.AuxiliaryTerm",
            "models.annealing.Annealing",
            "models.prior",
            "models.discriminate",
            "models.ema",
            "sampling",
        ),
    ),
    "data": ("Data", "What ``data=`` chooses.", ("data",)),
    "evaluation": (
        "Scores",
        "Pure functions of features or images, and the protocol that names what they give.",
        (
            "evaluation.frechet",
            "evaluation.mmd",
            "evaluation.prdc",
            "evaluation.classes",
            "evaluation.memorization",
            "evaluation.tstr",
            "evaluation.protocol",
            "evaluation.scorer",
            "evaluation.records",
            "evaluation.extractor",
        ),
    ),
    "callbacks": ("Callbacks and loggers", "What watches a run.", ("callbacks", "loggers", "sweep")),
    "export": ("Export", "Trained generators as files.", ("export",)),
}
"""Title, first sentence and modules of each page, by its name."""


OVERVIEW = """# API reference

The public names of the package, from their docstrings: what each is, the shapes, ranges and units of its arguments,
and its errors. [In Python](../python.md) has examples of the first page's.
"""


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of each page."""
    yield "reference/api.md", OVERVIEW
    yield "reference/api/python.rst", python_page()
    for name, (title, sentence, modules) in PAGES.items():
        yield f"reference/api/{name}.rst", f"{underlined(title, '=')}\n{sentence}\n\n" + "\n".join(map(module, modules))


def python_page() -> str:
    """The public names of `import gan_lightning`."""
    title = underlined("load, train, Generator, Run", "=")
    intro = "``import gan_lightning as gl``; :doc:`examples <../../python>`."
    return "\n".join([title, f"{intro}\n", ".. py:module:: gan_lightning\n", *map(documented, PYTHON)])


PACKAGES = ("networks", "models", "data", "callbacks", "loggers", "export")
"""Modules whose names are imported from others."""


def module(name: str) -> str:
    """A module's public names; of a package, what it exports."""
    if name.rpartition(".")[2][0].isupper():
        return documented(name)
    options = ["members", "show-inheritance", *(["imported-members"] if name in PACKAGES else [])]
    title = underlined(f"gan_lightning.{name}", "-")
    return f"{title}\n" + directive("automodule", name, *options)


def documented(name: str) -> str:
    """A function or class."""
    if name[0].islower() and "." not in name:
        return directive("autofunction", name)
    return directive("autoexception" if name.endswith("Error") else "autoclass", name, "members")


def directive(kind: str, name: str, *options: str) -> str:
    """A directive of autodoc's."""
    return "\n".join([f".. {kind}:: gan_lightning.{name}", *(f"   :{option}:" for option in options), ""])


def underlined(title: str, mark: str) -> str:
    """A heading of reStructuredText."""
    return f"{title}\n{mark * len(title)}\n"
