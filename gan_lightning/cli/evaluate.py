"""The command evaluate: every score of a trained generator, or of images of any origin."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from pydantic import Field, PositiveInt

from gan_lightning.cli.options import (
    RUN,
    RunOptions,
    compose_data,
    parse,
    read_options,
    split_data_overrides,
    typed_value,
)
from gan_lightning.config.compose import options as choices
from gan_lightning.config.messages import explained
from gan_lightning.config.schema import check
from gan_lightning.config.values import PathName, Seed
from gan_lightning.errors import UserError
from gan_lightning.evaluation.protocol import Split
from gan_lightning.runs import find_run

if TYPE_CHECKING:
    from gan_lightning.evaluation.records import ScoreRecord
    from gan_lightning.loggers import Dashboard

log = logging.getLogger(__name__)


class Options(RunOptions):
    """Measure every score, and beside it what real images score.

      python -m gan_lightning evaluate run=FOLDER
      python -m gan_lightning evaluate images=FILE.npz data=mnist

    A run is compared with the data it was trained on; data.dir=FOLDER says where these have moved. Images of any
    other program are compared with data=NAME, whose own options follow as data.KEY=VALUE.
    """

    run: PathName | None = Field(None, description=RUN)
    images: PathName | None = Field(None, description="FILE.npz or FOLDER of images to score instead of a run.")
    data: str | None = Field(None, description="Data set that images= are compared with.")
    out: PathName | None = Field(None, description="Folder for the scores of images=; null: beside the images.")
    n: PositiveInt | None = Field(
        None, description="Number of samples, and of real images; null: as many as there are, at most 10,000."
    )
    split: Split = Field("test", description="Images to compare with: test, or validation for choices made before.")
    seed: Seed = Field(0, description="Seed of the noise that the samples of a run are drawn from.")
    tstr: bool = Field(False, description="Whether to train a classifier on samples and test it on real images, too.")
    inception: bool | str = Field(
        False, description="Whether to measure the Frechet distance of Inception's features, too; or its weights' FILE."
    )


def main(words: list[str]) -> None:
    """Evaluate the run or the images that the words name."""
    of_data, own = split_data_overrides(words)
    options = read_options(Options, own)
    if (options.run is None) == (options.images is None):
        raise UserError("type evaluate run=FOLDER, or evaluate images=FILE.npz|FOLDER data=mnist (one of the two)")
    if options.run is not None:
        refuse(own, ("data", "out"), "belongs to evaluate images=; a run is scored on its own data, in its own folder")
        evaluate_run(find_run(options.run), options, of_data)
    elif options.images is not None:
        refuse(own, ("seed", "trust"), "belongs to evaluate run=; images= are drawn already")
        evaluate_images(options.images, options, of_data)


def refuse(given: dict[str, Override], keys: tuple[str, ...], why: str) -> None:
    """Refuse options that mean nothing here."""
    for key in keys:
        if key in given:
            raise UserError(f"{given[key].input_line} {why}")


def evaluate_run(run: str, options: Options, of_data: list[str]) -> None:
    """Score a trained generator by the data it was trained on; figures go to its run folder."""
    from gan_lightning.training.lock import locked_run
    from gan_lightning.training.run_folder import open_run

    folder, _ = open_run(run)
    with locked_run(folder.path):
        score_run(run, options, of_data)


def score_run(run: str, options: Options, of_data: list[str]) -> None:
    """Score the generator of a run folder that no other process writes to."""
    from gan_lightning.build import build_data, load_run
    from gan_lightning.data.fingerprint import check_same_data
    from gan_lightning.evaluation.score_sources import generator_sources, score_sources
    from gan_lightning.evaluation.scorer import Scorer
    from gan_lightning.loggers import reopen_dashboards
    from gan_lightning.report.page import write_run_page

    folder, checkpoint, cfg, content, module = load_run(run, options.trust)
    data = build_data(move_data(cfg, of_data))
    check_same_data(data, content.get("data"))
    facts = {
        "run": str(folder.path), "checkpoint": checkpoint.name, "generator_steps": module.generator_steps,
        "images_seen": module.images_seen, "seed": options.seed,
    }  # fmt: skip
    scorer = Scorer(data, options.split, options.n, tstr=options.tstr, inception=options.inception)
    print(f"{checkpoint}: {module.generator_steps:,} generator steps, {module.images_seen:,} images")
    records, pictures = score_sources(generator_sources(module, options.seed), scorer, facts, folder)
    write_run_page(folder)
    show(reopen_dashboards(cfg, folder, options.trust), records, pictures)


def show(dashboards: "Iterable[Dashboard]", records: "list[ScoreRecord]", pictures: dict[str, Path]) -> None:
    """Add an evaluation to what the dashboards of the run's training show."""
    from gan_lightning.loggers import send_scores

    for dashboard in dashboards:
        send_scores([dashboard], records)
        files = {f"evaluation/{file.stem}": file for file in pictures.values()}
        dashboard.log_pictures(files, records[0].generator_steps)
        dashboard.close(failed=False)
        if dashboard.upload:
            print(f"  {'W&B upload':<16} {dashboard.upload}")


def move_data(cfg: DictConfig, of_data: list[str]) -> DictConfig:
    """A run's configuration, with another folder of its data set."""
    for override in parse(of_data):
        if override.key_or_group != "data.dir":
            raise UserError(
                f"{override.input_line}: a run is scored on the data it was trained on; only data.dir= may have moved"
            )
        with explained():
            OmegaConf.update(cfg, "data.dir", typed_value(override, str))
    check(cfg)
    return cfg


def evaluate_images(images: str, options: Options, of_data: list[str]) -> None:
    """Score pictures of any origin; figures go to `out`, or beside the pictures."""
    if options.data is None:
        raise UserError(f"data= is missing: which images are the real ones? Allowed: {', '.join(choices('data'))}")
    cfg = compose_data(options.data, of_data)
    path = Path(images).resolve()

    from gan_lightning.build import build_data
    from gan_lightning.evaluation.samples import read_samples
    from gan_lightning.evaluation.score_sources import image_source, score_sources
    from gan_lightning.evaluation.scorer import Scorer
    from gan_lightning.training.lock import locked_run
    from gan_lightning.training.run_folder import RunFolder

    data = build_data(cfg)
    samples, labels = read_samples(path, data.image_shape, len(data.class_names))
    scorer = Scorer(
        data, options.split, options.n, available=len(samples), tstr=options.tstr, inception=options.inception
    )
    warn_of_doubts(samples, scorer.real.images, path)
    out = scores_folder(path, options.out)
    with locked_run(out):
        score_sources([image_source(samples, labels)], scorer, {"images": str(path)}, RunFolder(out))


def warn_of_doubts(samples: Any, real: Any, path: Path) -> None:
    """Say so where samples look as if they were saved in another way than real images."""
    from gan_lightning.evaluation.plausibility import find_doubts

    for doubt in find_doubts(samples, real):
        log.warning("WARNING: images=%s: %s. These scores are of the images as they are", path, doubt)


def scores_folder(images: Path, out: str | None) -> Path:
    """The folder for the scores of images: `out`, or one beside them.

    Raises:
        UserError: It is a run's, or holds the scores of other images.
    """
    from gan_lightning.training.run_folder import RunFolder

    name = images.stem if images.is_file() else images.name
    folder = RunFolder(images.with_name(f"{name}-scores") if out is None else Path(out))
    if folder.config_file.is_file():
        raise UserError(f"out={folder.path} is the folder of a run, whose own scores it keeps; type another out=FOLDER")
    others = {record.images for record in folder.scores()} - {str(images)}
    if others:
        raise UserError(f"{folder.path} holds the scores of {others.pop()}; type another out=FOLDER")
    return folder.path
