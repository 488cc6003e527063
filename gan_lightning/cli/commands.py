"""The verbs other than train; each takes the words after it on the command line."""

import logging
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lightning.config.schema import CONFIG_ERRORS, check, check_value, compose, did_you_mean, explain, options
from gan_lightning.errors import UserError

log = logging.getLogger(__name__)

CHANGEABLE = ("trainer.", "max_images", "max_generator_steps", "precision", "callbacks.", "data.dir")
"""What `resume` may change."""

ACCELERATOR_KEYS = ("accelerator", "devices", "strategy", "sync_batchnorm")
"""What the files of conf/accelerator set."""

GROUPS = ("model", "network", "loss", "penalty", "augment", "data", "accelerator", "logger", "experiment")


def parse(words: list[str], allowed: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """`key=value` words as a mapping, each value of its key's type.

    Raises:
        UserError: for a word without "=", an unknown key, a wrong value or a missing key.
    """
    values: dict[str, Any] = {}
    for key, value in split(words):
        if key not in allowed:
            raise UserError(f"{key} is no option here.{did_you_mean(key, allowed)}")
        values[key] = check_value(key, value, allowed[key])
    for key in required:
        if key not in values:
            raise UserError(f"{key}= is missing. Allowed: {', '.join(allowed)}")
    return values


def split(words: list[str]) -> Iterator[tuple[str, Any]]:
    """Each `key=value` word as its key and its value, read as yaml."""
    for word in words:
        key, equals, _ = word.partition("=")
        if not equals:
            raise UserError(f"{word} is not of the form key=value")
        yield key, OmegaConf.select(OmegaConf.from_dotlist([word]), key)


def resume(words: list[str]) -> None:
    """`resume run=FOLDER [option=value ...]`: go on where a run stopped, in its own folder and W&B run."""
    from gan_lightning.training.run import train
    from gan_lightning.training.run_folder import open_run

    run = next((word.partition("=")[2] for word in words if word.startswith("run=")), None)
    if run is None:
        raise UserError("run= is missing: type resume run=FOLDER")
    folder, checkpoint = open_run(run)
    if checkpoint.resolve() != folder.last:
        raise UserError(f"{run} is not the run's last checkpoint, and going on from it would undo later ones")
    cfg = changed(folder.config(), [word for word in words if not word.startswith("run=")])
    refuse_to_go_on_in_vain(cfg, checkpoint, run)
    file = logging.FileHandler(folder.path / "train.log", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(file)
    if train(cfg, folder, name=folder.path.name, checkpoint=checkpoint) == "interrupted":
        raise KeyboardInterrupt


def changed(cfg: DictConfig, words: list[str]) -> DictConfig:
    """A run's configuration with some options changed: those that leave the game as it is.

    Raises:
        UserError: for an unknown option, or one that the checkpoint has settled.
    """
    for key, value in split(words):
        if key in ("accelerator", "logger"):
            chosen = compose_or_explain(f"{key}={value}")
            if key == "logger":
                cfg.logger = chosen.logger
            else:
                cfg.trainer.update({name: chosen.trainer[name] for name in ACCELERATOR_KEYS})
            continue
        if not key.startswith(CHANGEABLE):
            raise UserError(
                f"{key} cannot change when a run goes on: its weights, optimizers and data order are settled; "
                f"start a new run, or change one of {', '.join(CHANGEABLE)}, accelerator, logger"
            )
        try:
            OmegaConf.update(cfg, key, value)
        except OmegaConfBaseException as error:
            raise explain(error) from error
    return cfg


def compose_or_explain(*overrides: str) -> DictConfig:
    """The configuration a command line gives, or why it gives none."""
    try:
        return compose(*overrides)
    except CONFIG_ERRORS as error:
        raise explain(error) from error


def refuse_to_go_on_in_vain(cfg: DictConfig, checkpoint: Path, run: str) -> None:
    """Say so when a run has nothing left to do, instead of doing nothing."""
    from gan_lightning.training.run_folder import read_checkpoint

    content = read_checkpoint(checkpoint)
    rates = [group["lr"] for optimizer in content["optimizer_states"] for group in optimizer["param_groups"]]
    if not any(rates):
        raise UserError(
            f"{run} has followed its schedule down to a learning rate of 0: more steps would change nothing; start a "
            "new run with a longer schedule (max_generator_steps= in the best recipes, or model.scheduler.total_iters=)"
        )
    refuse_spent_budget(cfg, content, run)
    refuse_spent_time(cfg.trainer.max_time, content["callbacks"].get("Timer"), run)


def refuse_spent_budget(cfg: DictConfig, content: dict[str, Any], run: str) -> None:
    """The same for passes, images and steps, which the checkpoint has counted."""
    done = {
        "trainer.max_epochs": content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"],
        "max_images": content["counters"]["images_seen"],
        "max_generator_steps": content["counters"]["generator_steps"],
    }
    limits = {key: OmegaConf.select(cfg, key) for key in done}
    for key, limit in limits.items():
        if limit is not None and 0 < limit <= done[key]:
            raise UserError(
                f"{run} has spent its budget: {key}={limit:,}, and {done[key]:,} are done; "
                f"type resume run={run} {key}={2 * done[key]} to go on"
            )


def refuse_spent_time(limit: str | None, timer: dict[str, Any] | None, run: str) -> None:
    """And for the time that Lightning's Timer has counted, over all sessions."""
    if limit is None or timer is None:
        return
    from gan_lightning.training.run import in_seconds

    spent = timer["time_elapsed"]["train"]
    if spent >= in_seconds(limit):
        raise UserError(
            f"{run} has spent its budget: trainer.max_time={limit}, and {spent:.0f} seconds are done; "
            f"type resume run={run} trainer.max_time= with a longer time, or trainer.max_time=null and another budget"
        )


def sample(words: list[str]) -> None:
    """`sample run=FOLDER n=64 seed=0 weights=ema|raw labels=3 out=grid.png|samples.npz|FOLDER`."""
    from pydantic import NonNegativeInt, PositiveInt

    from gan_lightning.models.module import Weights

    allowed = {
        "run": str,
        "n": PositiveInt,
        "seed": NonNegativeInt,
        "weights": Weights,
        "labels": list[NonNegativeInt] | NonNegativeInt,
        "out": str,
    }
    defaults: dict[str, Any] = {"n": 64, "seed": 0, "weights": "ema", "out": "samples.png"}
    given = defaults | parse(words, allowed, required=("run",))
    out = Path(given["out"])
    if out.suffix not in WRITERS:
        raise UserError(f"out={out} is not allowed: type out=FILE.png (a grid), out=FILE.npz (an array) or out=FOLDER")

    from gan_lightning.build import load_module

    module, checkpoint = load_module(given["run"])
    sampler = module.sampler(given["weights"])
    labels = labels_to_draw(sampler, given)
    images = sampler.sample(given["n"], given["seed"], labels)
    out.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[out.suffix](images, labels, out)
    weights = given["weights"] if given["weights"] in module.kept_weights else "raw"
    print(f"{given['n']} samples of {checkpoint} ({weights} weights, seed {given['seed']}) in {out}")


def labels_to_draw(sampler: Any, given: dict[str, Any]) -> Any:
    """The class of each sample: those of `labels=` in turn, else all in turn; None where there are no classes."""
    import torch

    every = sampler.labels(given["n"])
    if "labels" not in given:
        return every
    wished = given["labels"] if isinstance(given["labels"], list) else [given["labels"]]
    if every is None:
        raise UserError(f"labels={given['labels']}: this generator is not class-conditional; leave labels= out")
    if not wished or max(wished) >= sampler.conditioning.num_classes:
        last = sampler.conditioning.num_classes - 1
        raise UserError(f"labels={given['labels']} is not allowed: classes are 0 to {last}; type labels={last}")
    return torch.tensor(wished)[torch.arange(given["n"]) % len(wished)]


def write_grid(images: Any, labels: Any, out: Path) -> None:
    """One picture of all images."""
    from gan_lightning.images import grid, save_png

    save_png(grid(images), out)


def write_array(images: Any, labels: Any, out: Path) -> None:
    """`images`: uint8 (n, C, H, W), and `labels`: int64 (n,) where there are any."""
    import numpy as np

    np.savez_compressed(out, images=images.numpy(), **({} if labels is None else {"labels": labels.numpy()}))


def write_folder(images: Any, labels: Any, out: Path) -> None:
    """A PNG file for each image."""
    from gan_lightning.images import save_png

    for index, image in enumerate(images):
        save_png(image, out / f"{index:06d}.png")


WRITERS: dict[str, Callable[[Any, Any, Path], None]] = {".png": write_grid, ".npz": write_array, "": write_folder}


def evaluate(words: list[str]) -> None:
    """`evaluate run=FOLDER|images=FILE [n=10000] ...`: every score, beside what real images score."""
    from pydantic import NonNegativeInt, PositiveInt

    from gan_lightning.evaluation.protocol import Split

    allowed = {
        "run": str, "images": str, "data": str, "out": str, "n": PositiveInt, "split": Split, "seed": NonNegativeInt,
        "tstr": bool, "inception": bool | str,
    }  # fmt: skip
    of_data, others = apart(words)
    given = parse(others, allowed)
    if ("run" in given) == ("images" in given):
        raise UserError("type evaluate run=FOLDER, or evaluate images=FILE.npz|FOLDER data=mnist (one of the two)")
    if "images" in given:
        evaluate_images(given, of_data)
    else:
        evaluate_run(given, of_data)


def evaluate_run(given: dict[str, Any], of_data: list[str]) -> None:
    """Score a trained generator by the data it was trained on; figures go to its run folder."""
    from gan_lightning.build import build_data, load_module
    from gan_lightning.evaluation.score_sources import generator_sources, score_sources
    from gan_lightning.evaluation.scorer import Scorer
    from gan_lightning.training.run_folder import open_run

    refuse(given, ("data", "out"), "belongs to evaluate images=; a run is scored on its own data, in its own folder")
    folder, _ = open_run(given["run"])
    module, checkpoint = load_module(given["run"])
    for word in of_data:
        if not word.startswith("data.dir="):
            raise UserError(f"{word}: a run is scored on the data it was trained on; only data.dir= may have moved")
    data = build_data(with_options(folder.config(), of_data))
    seed = given.get("seed", 0)
    facts = {
        "run": str(folder.path), "checkpoint": checkpoint.name, "generator_steps": module.generator_steps,
        "images_seen": module.images_seen, "seed": seed,
    }  # fmt: skip
    asked = {key: given[key] for key in ("split", "n", "tstr", "inception") if key in given}
    scorer = Scorer(data, **asked)
    print(f"{checkpoint}: {module.generator_steps:,} generator steps, {module.images_seen:,} images")
    score_sources(generator_sources(module, seed), scorer, facts, folder)


def evaluate_images(given: dict[str, Any], of_data: list[str]) -> None:
    """Score pictures of any origin; figures go to `out`, or beside the pictures."""
    from gan_lightning.build import build_data
    from gan_lightning.evaluation.samples import read_samples
    from gan_lightning.evaluation.score_sources import image_source, score_sources
    from gan_lightning.evaluation.scorer import Scorer
    from gan_lightning.training.run_folder import RunFolder

    refuse(given, ("seed",), "belongs to evaluate run=; images= are drawn already")
    if "data" not in given:
        raise UserError(f"data= is missing: which images are the real ones? Allowed: {', '.join(options('data'))}")
    path = Path(given["images"]).expanduser().resolve()
    data = build_data(with_options(compose_or_explain(f"data={given['data']}"), of_data))
    images, labels = read_samples(path, data.image_shape, len(data.class_names))
    asked = {key: given[key] for key in ("split", "n", "tstr", "inception") if key in given}
    scorer = Scorer(data, **asked, available=len(images))
    out = Path(given["out"]) if "out" in given else path.with_name(f"{path.stem}-scores")
    score_sources([image_source(images, labels)], scorer, {"images": str(path)}, RunFolder(out))


def refuse(given: dict[str, Any], keys: tuple[str, ...], why: str) -> None:
    """Refuse options that mean nothing here."""
    for key in keys:
        if key in given:
            raise UserError(f"{key}={given[key]} {why}")


def apart(words: list[str]) -> tuple[list[str], list[str]]:
    """Options of the data set (data.size=28), which its own configuration checks, and the other words."""
    of_data = [word for word in words if word.startswith("data.")]
    return of_data, [word for word in words if word not in of_data]


def with_options(cfg: DictConfig, words: list[str]) -> DictConfig:
    """A configuration with some options changed, and checked."""
    try:
        for key, value in split(words):
            OmegaConf.update(cfg, key, value)
    except OmegaConfBaseException as error:
        raise explain(error) from error
    check(cfg)
    return cfg


def classifier(words: list[str]) -> None:
    """`classifier data=mnist [data.dir=FOLDER] [out=FOLDER]`: the reference classifier of a data set.

    The one that ships, or the cached one, or else one trained now and cached; with `out` always trained and kept there.
    """
    from gan_lightning.build import build_data
    from gan_lightning.evaluation.extractor import extractor_for, train_extractor

    of_data, others = apart(words)
    given = parse(others, {"data": str, "out": str}, required=("data",))
    data = build_data(with_options(compose_or_explain(f"data={given['data']}"), of_data))
    data.prepare_data()
    data.setup()
    found = train_extractor(data, Path(given["out"])) if "out" in given else extractor_for(data)
    for key, value in found.card.items():
        print(f"{key:<16} {value}")


def list_choices(words: list[str]) -> None:
    """`list`: every choice of every config group, a line each."""
    parse(words, {})
    width = max(len(name) for group in GROUPS for name in options(group))
    for group in GROUPS:
        print(f"{group}=")
        for name, description in options(group).items():
            print(f"  {name:<{width}} {description}")


def fetch_data(words: list[str]) -> None:
    """`data [name=mnist] [dir=FOLDER]`: fetch and verify the data sets; say where they are and what they hold."""
    from gan_lightning.build import build_data

    names = [name for name in options("data") if name != "image_folder"]
    given = parse(words, {"name": str, "dir": str})
    if given.get("name", names[0]) not in names:
        raise UserError(f"name={given['name']} is no data set that can be fetched.{did_you_mean(given['name'], names)}")
    complete = True
    for name in [given["name"]] if "name" in given else names:
        words = [f"data.dir={given['dir']}"] if "dir" in given and name != "mnist_5k" else []
        try:
            data = build_data(compose(f"data={name}", *words))
            data.fetch()
            splits = data.load()
        except UserError as error:
            complete = False
            print(f"{name:<14} missing\n{textwrap.indent(str(error), ' ' * 15)}")
            continue
        sizes = " + ".join(f"{len(part.images):,} {split}" for split, part in splits._asdict().items())
        shape = "x".join(map(str, data.image_shape))
        print(f"{name:<14} verified  {sizes} images of {shape}, {len(data.class_names)} classes, in {data.location}")
    if not complete:
        raise UserError("not every data set could be fetched; those verified can be used")
