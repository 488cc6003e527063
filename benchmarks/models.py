"""The models' page: every model as its file has it, on MNIST and Fashion-MNIST, scored on the test images.

    python -m benchmarks.models run OUT [model=dcgan,lsgan] [data=mnist,fashion_mnist] [seed=0,1,2] [jobs=2] [WORD ...]
    python -m benchmarks.models collect OUT FILE.json
    python -m benchmarks.models table FILE.json
    python -m benchmarks.models pictures FILE.png OUT/*-mnist-0/page.png
    python -m benchmarks.models pages FILE.json docs/models
    python -m benchmarks.models page_pictures OUT docs/pictures/models

`run` trains and scores what OUT does not hold yet, two jobs of one thread each at a time; interrupted and started again
it goes on. `experiment=` may stand in the place of `model=` and `data=`; other words (`trainer.max_time=00:00:05:00`)
are given to every job and stand in the runs' names. `collect` adds the scores of all that OUT holds to a file, a line
for each run; docs/models.json is that of the models' page. `table` prints them: mean and range over the seeds.
`pictures` puts the images of several runs side by side. `pages` writes the scores into each model's page, and
`page_pictures` copies each model's images beside them.
"""

import json
import os
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

SHOWN = ("frechet", "precision", "recall", "coverage", "missing_classes", "rarest", "memorization_p")
GRID = 40  # images in a picture of the page
SHADES = 32  # gray levels of the pictures in docs/


def run(out: Path, words: dict[str, list[str]], others: list[str]) -> None:
    """Train and score every combination that has no scores yet."""
    jobs = int(words.pop("jobs", ["2"])[0])
    combinations = [list(zip(words, values, strict=True)) for values in product(*words.values())]
    with ThreadPoolExecutor(jobs) as pool:
        for line in pool.map(lambda combination: train_and_score(out, combination, others, jobs), combinations):
            print(line, flush=True)


def train_and_score(out: Path, combination: list[tuple[str, str]], others: list[str], jobs: int) -> str:
    """One run in a process of its own, and its scores in another."""
    name = "-".join([*others, *(value for _, value in combination)])
    folder = out / re.sub(r"[/:=]", "_", name)  # signs that mean something in a path or on a command line
    if not (folder / "page.json").is_file():
        environment = os.environ | {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs))}
        words = [f"{key}={value}" for key, value in combination]
        training = ["gan_lightning", *words, *others, "logger=csv", f"hydra.run.dir={folder}"]
        for command in (training, ["benchmarks.models", "score", str(folder)]):
            done = subprocess.run([sys.executable, "-m", *command], env=environment, capture_output=True, text=True)
            if done.returncode:
                return f"{folder.name}: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
    return f"{folder.name}: {json.loads((folder / 'page.json').read_text())}"


def score(run_folder: Path) -> None:
    """Score the averaged generator of a run; page.json and page.png go into its folder."""
    from benchmarks.independent import SecondOpinion
    from gan_lightning.build import build_data, load_module
    from gan_lightning.evaluation.scorer import Scorer
    from gan_lightning.images import grid, save_png
    from gan_lightning.training.run_folder import open_run

    folder, _ = open_run(str(run_folder))
    module, _ = load_module(str(run_folder))
    scorer = Scorer(build_data(folder.config()))
    sampler = module.sampler()
    samples = sampler.sample(scorer.n)
    measured = scorer.measure(samples)
    second = SecondOpinion(scorer.data, scorer.real.images)
    status = folder.status()
    page: dict[str, Any] = {name: measured.scores[name] for name in SHOWN if name in measured.scores}
    if measured.modes is not None:
        page["rarest"] = measured.modes.shares.min().item()
    page |= {f"second_{name}": value for name, value in second.scores(samples).items()}
    page |= {"steps": status["generator_steps"], "minutes": status["seconds"] / 60}
    save_png(grid(sampler.sample(GRID), sampler.conditioning.columns or 8), folder.path / "page.png")
    (folder.path / "page.json").write_text(json.dumps(page, indent=1))


def collect(out: Path, file: Path) -> None:
    """Add the scores of every run in OUT to a file, in the place of those of the same name."""
    pages = json.loads(file.read_text()) if file.is_file() else {}
    pages |= {page.parent.name: json.loads(page.read_text()) for page in out.glob("*/page.json")}
    lines = [f"{json.dumps(name)}: {json.dumps(page)}" for name, page in sorted(pages.items())]
    file.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def table(file: Path) -> None:
    """Print a row for each model and data set, or experiment: mean and range over the seeds."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, page in json.loads(file.read_text()).items():
        runs[name.rpartition("-")[0]].append(page)
    names = [*SHOWN, "second_frechet", "second_coverage", "steps", "minutes"]
    print(f"| | seeds | {' | '.join(f'`{name}`' for name in names)} |\n|{'---|' * (2 + len(names))}")
    for name, pages in runs.items():
        cells = [spread([page[key] for page in pages if key in page]) for key in names]
        print(f"| `{name}` | {len(pages)} | {' | '.join(cells)} |")


def spread(values: list[float]) -> str:
    """Mean, and smallest to largest where they differ."""
    if not values:
        return "-"
    mean, least, most = (digits(value) for value in (statistics.mean(values), min(values), max(values)))
    return mean if least == most else f"{mean} ({least} to {most})"


def digits(value: float) -> str:
    """Two digits that count, or a whole number."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:#.2g}"


def pictures(file: Path, *pages: Path) -> None:
    """Each run's images, under its name, in one picture."""
    import matplotlib.image

    from gan_lightning.report.figures import plot_grids

    plot_grids({page.parent.name: matplotlib.image.imread(page) for page in pages}, file)
    save_small(file, file)


def save_small(picture: Path, file: Path) -> None:
    """A gray picture in a few shades: it looks the same, and the file is a third as large."""
    from PIL import Image

    Image.open(picture).convert("L").quantize(SHADES).save(file, optimize=True)


def main(verb: str, place: str, *rest: str) -> None:
    """Dispatch."""
    if verb == "run":
        ours = ("model", "experiment", "data", "seed", "jobs")
        chosen = {key: value.split(",") for key, _, value in (w.partition("=") for w in rest) if key in ours}
        run(Path(place).resolve(), chosen, [word for word in rest if word.partition("=")[0] not in ours])
    else:
        from benchmarks.model_pages import page_pictures, pages

        commands: dict[str, Any] = {"score": score, "collect": collect, "table": table, "pictures": pictures,
                                    "pages": pages, "page_pictures": page_pictures}  # fmt: skip
        commands[verb](*map(Path, (place, *rest)))


if __name__ == "__main__":
    main(*sys.argv[1:])
