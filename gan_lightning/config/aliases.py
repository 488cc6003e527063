"""The words people type: short names of options and other spellings of choices, as the full words they stand for."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from gan_lightning.config.compose import groups, options
from gan_lightning.errors import UserError

ALIASES: dict[str, tuple[str, ...]] = {
    "lr": ("optimizer.generator.lr", "optimizer.discriminator.lr"),
    "lr_g": ("optimizer.generator.lr",),
    "lr_d": ("optimizer.discriminator.lr",),
    "betas": ("optimizer.generator.betas", "optimizer.discriminator.betas"),
    "width": ("network.generator.width", "network.discriminator.width"),
    "epochs": ("trainer.max_epochs",),
    "steps": ("max_generator_steps",),
    "images": ("max_images",),
    "max_time": ("trainer.max_time",),
    "devices": ("trainer.devices",),
    "batch_size": ("data.batch_size",),
    "image_size": ("data.size",),
    "data_dir": ("data.dir",),
    "latent_dim": ("model.latent_dim",),
    "n_critic": ("updates.n_critic",),
}
"""Short names that mean one thing, and the options they set."""

FOLDERS = {False: "hydra.run.dir", True: "hydra.sweep.dir"}
"""The folder of a run, and of a sweep, which `out` is the short name of."""

OTHER_NAMES = {
    "learning_rate": "lr", "g_lr": "lr_g", "d_lr": "lr_d", "lrg": "lr_g", "lrd": "lr_d", "generator_lr": "lr_g",
    "discriminator_lr": "lr_d", "critic_lr": "lr_d",
    "n_epochs": "epochs", "num_epochs": "epochs", "max_epochs": "epochs", "epoch": "epochs",
    "max_steps": "steps", "num_steps": "steps", "n_steps": "steps", "iterations": "steps", "iters": "steps",
    "n_iter": "steps", "max_iter": "steps", "generator_steps": "steps",
    "bs": "batch_size", "batch": "batch_size", "batchsize": "batch_size",
    "img_size": "image_size", "image_dim": "image_size", "resolution": "image_size", "size": "image_size",
    "z_dim": "latent_dim", "zdim": "latent_dim", "nz": "latent_dim", "noise_dim": "latent_dim",
    "latent_size": "latent_dim", "z_size": "latent_dim", "latent": "latent_dim",
    "critic_iters": "n_critic", "critic_iterations": "n_critic", "d_steps": "n_critic", "k": "n_critic",
    "ncritic": "n_critic", "num_critic": "n_critic",
    "data_root": "data_dir", "dataroot": "data_dir", "data_path": "data_dir", "root": "data_dir",
    "out_dir": "out", "output": "out", "output_dir": "out", "save_dir": "out", "run_dir": "out", "outdir": "out",
    "time": "max_time", "dataset": "data", "arch": "network", "architecture": "network", "net": "network",
    "gan": "model", "criterion": "loss", "objective_function": "loss", "random_seed": "seed", "manual_seed": "seed",
    "opt": "optimizer", "logging": "logger",
}  # fmt: skip
"""Other names of these, of config groups and of options."""

DEVICE_KEYS = ("device", "gpu", "gpus", "n_gpus", "num_gpus")

DEVICES = {"cuda": "gpu", "gpu": "gpu", "cpu": "cpu", "mps": "mps", "auto": "auto"}
"""Names of devices, and the choices of `accelerator=` for them."""

CHOICES: dict[str, dict[str, str]] = {
    "model": {"vanilla": "gan", "vanilla_gan": "gan", "original": "gan", "conditional": "cgan"},
    "loss": {
        **dict.fromkeys(["saturating", "vanilla", "original"], "minimax"),
        **dict.fromkeys(["bce", "bce_with_logits", "binary_cross_entropy", "logistic", "ns"], "non_saturating"),
        **dict.fromkeys(["mse", "l2", "lsgan"], "least_squares"),
        **dict.fromkeys(["wgan", "w", "earth_mover"], "wasserstein"),
        "js": "jensen_shannon",
        "rsgan": "relativistic",
        "ragan": "relativistic_average",
    },
    "data": {
        **dict.fromkeys(["fashion", "fmnist"], "fashion_mnist"),
        **dict.fromkeys(["folder", "images"], "image_folder"),
        "digits": "mnist",
    },
    "penalty": {**dict.fromkeys(["gp", "gradient_penalty"], "wgan_gp"), "lp": "wgan_lp", "div": "wgan_div"},
    "network": {**dict.fromkeys(["fc", "dense", "linear"], "mlp"), **dict.fromkeys(["cnn", "conv"], "dcgan")},
    "logger": {"tb": "tensorboard", "weights_and_biases": "wandb"},
    "accelerator": {"cuda": "gpu", "ddp": "multi_gpu"},
    "augment": {"diffaug": "diffaugment"},
}
"""Other names of choices, by their group."""

HINTS = {
    **dict.fromkeys(["gp_weight", "lambda_gp", "gp_lambda", "lambda"], "type penalty.wgan_gp.weight=10"),
    **dict.fromkeys(["beta1", "beta2", "b1", "b2"], "type betas=[0.5,0.999]"),
    **dict.fromkeys(["clip", "clip_value"], "type model.weight_clip=0.01"),
    **dict.fromkeys(["ema", "ema_decay"], "type model.ema_half_life=, in images"),
    **dict.fromkeys(["num_workers", "workers"], "the images are in memory, and no workers load them: leave it out"),
    **dict.fromkeys(["amp", "fp16", "mixed_precision", "dtype"], "type precision=bf16 or precision=32"),
    **dict.fromkeys(["save_every", "save_interval"], "type callbacks.checkpoints.every_n_epochs="),
    **dict.fromkeys(["log_every", "log_interval"], "type callbacks.training_metrics.every_n_batches="),
    **dict.fromkeys(["sample_every", "sample_interval"], "type callbacks.samples.growth=, a ratio of steps"),
    **dict.fromkeys(["eval_every", "eval_interval"], "type callbacks.evaluation.every_n_epochs="),
    **dict.fromkeys(["num_classes", "n_classes"], "the data set says how many classes there are: leave it out"),
    **dict.fromkeys(["checkpoint", "resume", "run"], "type python -m gan_lightning resume run=FOLDER"),
    **dict.fromkeys(["n", "n_samples", "num_samples"], "type python -m gan_lightning sample run=FOLDER n=64"),
    "ngf": "type network.generator.width=",
    "ndf": "type network.discriminator.width=",
    "conditional": "type conditioning=labels, conditioning=channel or conditioning=projection",
    "study": "type python -m gan_lightning study study=NAME",
    "name": "type hydra.run.dir=runs/NAME for a folder of this name",
    "wandb": "type logger=wandb",
    "tensorboard": "type logger=tensorboard",
}
"""What to type instead of words that no one option stands for."""

HYDRAS_FLAGS = (
    "--cfg", "--config-dir", "--config-name", "--config-path", "--experimental-rerun", "--help", "--hydra-help",
    "--info", "--multirun", "--package", "--resolve", "--run", "--shell-completion", "--version",
)  # fmt: skip


class Translation(NamedTuple):
    """What a word means.

    Attributes:
        word: As it was typed.
        meant: The full words that it stands for; itself, when it is one.
    """

    word: str
    meant: list[str]


def translate(words: Sequence[str]) -> list[Translation]:
    """The full words that each word of a command line stands for.

    Raises:
        UserError: A word is a flag of another program's, such as --epochs.
    """
    refuse_flags(words)
    return [Translation(word, meaning(word, is_sweep(words))) for word in words]


def is_sweep(words: Sequence[str]) -> bool:
    """Whether a command line starts a sweep."""
    return "-m" in words or "--multirun" in words


def meaning(word: str, sweeping: bool = False) -> list[str]:
    """The full words for one word; itself when it is no alias."""
    typed, equals, value = word.partition("=")
    key = OTHER_NAMES.get(typed.lower(), typed.lower())
    if not equals:
        return [word]
    if key == "out":
        return [f"{FOLDERS[sweeping]}={value}"]
    if key in DEVICE_KEYS:
        return device_words(key, value) or [word]
    if key in groups():
        return [f"{key}={choices_meant(key, value)}"]
    if key not in ALIASES:
        return [f"{key}={value}" if typed.lower() in OTHER_NAMES else word]
    first, *others = ALIASES[key]
    same = f"${{{first}}}" if re.search(r",|\(", value) and not value.startswith("[") else value  # no pair of a sweep's
    return [f"{first}={value}", *(f"{other}={same}" for other in others)]


def choices_meant(group: str, typed: str) -> str:
    """The choice, or the choices of a sweep with commas between them, that were meant; as typed where none is known."""
    if not re.fullmatch(r"[\w/, -]+", typed):
        return typed
    return ",".join(choice_meant(group, each) for each in typed.split(","))


def choice_meant(group: str, typed: str) -> str:
    """The choice of a group that is spelled alike but for case and separators, or that the word is another name of."""
    others = CHOICES.get(group, {})
    by_letters = {letters(name): name for name in (*others, *options(group))}
    name = typed if typed in options(group) else by_letters.get(letters(typed), typed)
    return others.get(name, name)


def letters(name: str) -> str:
    """A name's letters, digits and slashes, in lower case: WGAN-GP and wgan_gp are one."""
    return re.sub(r"[^a-z0-9/]", "", name.lower())


def device_words(key: str, value: str) -> list[str] | None:
    """The words for device=cuda, device=cuda:1, gpus=0 and gpus=2; None where what is meant is not known."""
    if key == "device":
        name, _, index = value.partition(":")
        chosen = DEVICES.get(name.lower())
        return None if chosen is None else [f"accelerator={chosen}", *([f"trainer.devices=[{index}]"] if index else [])]
    if not value.isdecimal():
        return None
    if int(value) == 0:
        return ["accelerator=cpu"]
    return ["accelerator=gpu"] if int(value) == 1 else ["accelerator=multi_gpu", f"trainer.devices={int(value)}"]


def refuse_flags(words: Sequence[str]) -> None:
    """Refuse flags such as --epochs 5 and --epochs=5, and say how they are typed here.

    Raises:
        UserError: A flag is not one of Hydra's.
    """
    for word, following in zip(words, [*words, ""][1:], strict=True):
        flag, equals, value = word.partition("=")
        if not word.startswith("--") or flag in HYDRAS_FLAGS:
            continue
        if not equals and "=" not in following and not following.startswith("-"):
            value = following
        key = flag[2:].replace("-", "_")
        hint = HINTS.get(key) or "type " + " ".join(meaning(f"{key}={value or 'VALUE'}"))
        raise UserError(f"{flag} is not an option: options are typed as key=value; {hint}")
