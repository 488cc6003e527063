"""Random command lines: real ones of every command, with mistakes of every kind that people make, and others."""

from functools import cache
from pathlib import Path
from random import Random

from omegaconf import DictConfig, OmegaConf

from gan_lightning.__main__ import MODULES
from gan_lightning.config.compose import compose, groups, options

REAL = [
    "model=wgan_gp data=mnist_5k",
    "model=dcgan data=mnist_5k max_generator_steps=5 trainer.max_epochs=1",
    "model=acgan data=mnist_5k loss=hinge penalty=[r1,r2] augment=ada",
    "model=infogan data=mnist_5k optimizer.generator.lr=0.01 optimizer.generator.betas=[0,0.9]",
    "experiment=paper/wgan_gp data=mnist_5k",
    "experiment=best_mnist data=mnist_5k",
    "data=image_folder data.dir={pictures} data.size=28 data.batch_size=4",
    "data=mnist data.dir={pictures}",
    "-m model=gan,wgan data=mnist_5k seed=0,1",
    "model=wgan --cfg job",
    "data=mnist_5k logger=csv callbacks.evaluation.every_n_epochs=1 objective=frechet",
    "data=mnist_5k +trainer.max_steps=4 trainer.max_time=00:00:01:00 accelerator=cpu precision=32",
    "data=mnist_5k +callbacks.stop._target_=pytorch_lightning.callbacks.EarlyStopping +callbacks.stop.monitor=frechet",
    "data=mnist_5k optimizer.scheduler={{_target_:torch.optim.lr_scheduler.StepLR,_partial_:true,step_size:3}}",
    "train model=gan data=mnist_5k conditioning=projection network=resnet",
    "resume run={run} max_generator_steps=9",
    "resume run={run} trainer.max_epochs=20 accelerator=cpu logger=csv callbacks.samples.images=4",
    "sample run={run} n=4 seed=0 out={out}/grid.png",
    "sample run={run} n=4 weights=raw labels=[1,2] out={out}/x.npz",
    "sample run={run} n=2 out={out}/folder replace=true",
    "interpolate run={run} n=2 steps=3 kind=linear out={out}/film.gif",
    "project run={run} image={pictures}/0.png steps=2 starts=1 out={out}/pair.png",
    "dataset run={run} n=4 n_test=2 labels=classifier format=png out={out}/set",
    "evaluate run={run} n=300 split=validation seed=1",
    "evaluate images={npz} data=mnist_5k out={out}/scores",
    "evaluate images={pictures} data=mnist_5k data.size=28 tstr=true",
    "classifier data=mnist_5k out={out}/classifier",
    "classifier data=image_folder data.dir={pictures} data.size=28",
    "list",
    "data name=mnist_5k",
    "data name=kmnist dir={pictures}",
    "help sample",
    "evaluate --help",
]
"""Command lines that people type; {run} and others are replaced by what the test has made."""

VALUES = [
    "", "null", "true", "false", "no", "on", "0", "-1", "1", "7", "1.5", "1e-3", "1e308", "1e400", "nan", "inf", "-inf",
    ".inf", "007", "1_000", "0x10", "281474976710656", "18446744073709551616", "-9223372036854775809", "9" * 5000,
    "x", "'a b'", '"é"', "${seed}", "${nope}", "${oc.env:HOME}", "${oc.env:NOPE}", "${hydra:runtime.cwd}", "${", "$x",
    "${seed", "???", "[]", "[1,2]", "[[1]]", "[x]", "[null]", "{}", "{a:1}", "{a:{b:[1]}}", "{_target_:builtins.dict}",
    "{_target_:json}", "{_target_:nope.nope}", "{_target_:torch.nn.Linear}", "{_partial_:true}", "json", "os.path.join",
    "builtins.dict", "gan_lightning.losses.Hinge", "torch.optim.Adam", "gan_lightning", "@x", "::", "=", "a=b", "a,b",
    "1,2", "range(1,3)", "glob(*)", "choice(a,b)", "sort(3,2)", "shuffle(1,2)", "str(3)", "int(x)", "{", "}", "[", "]",
    "(", ")", '"', "'", "\\", "~", "~nobody-of-this-name/x", "..", "a/b", ":", ",", "00:00:00:00", "99:99:99:99", "*",
    "a" * 5000, "\0", "\n", "\t", "😀", "\udcff", "#", "!", "%", "0.0", "-0", "true,false", "{a:1,a:2}", "[1,",
    "best", "frechet", "cpu", "gpu", "ddp", "auto", "cuda:99", "mps", "tpu",
]  # fmt: skip
"""What is typed where something else is meant; whole numbers are small, or too large for any memory to be tried."""

FLAGS = ["-m", "--multirun", "--cfg", "--cfg job", "--info", "--info all", "--package model", "-h", "--help",
         "--hydra-help", "--version", "--nope", "-x", "-", "--", "--run", "help", "--config-name nope", "-cn", "-cd",
         "--config-dir nope", "--config-path nope", "--shell-completion", "--experimental-rerun nope"]  # fmt: skip


@cache
def keys() -> list[str]:
    """Every option of a training, of the groups, and of the commands."""
    cfg = compose("model=wgan_gp", "data=mnist_5k", "logger=wandb", "annealing=burn_in", "augment=ada")
    own = ["run", "n", "seed", "out", "images", "split", "tstr", "inception", "labels", "weights", "name", "dir",
           "image", "truncation", "kind", "steps", "n_test", "format"]  # fmt: skip
    hydras = ["hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.job.chdir", "hydra.launcher",
              "hydra/launcher", "hydra.sweeper", "hydra/sweeper", "hydra.verbose", "hydra.mode", "hydra.job.name",
              "hydra/job_logging", "hydra.output_subdir", "hydra"]  # fmt: skip
    return [*flatten(cfg), *groups(), *own, *hydras, "data.dir", "+trainer.logger", "+trainer.callbacks"]


def flatten(node: DictConfig, path: str = "") -> list[str]:
    """The full keys of a configuration, of mappings, too."""
    found = []
    for name in map(str, node):
        full = f"{path}.{name}" if path else name
        inside = None if OmegaConf.is_missing(node, name) else node._get_node(name)
        found += [full, *(flatten(inside, full) if isinstance(inside, DictConfig) else [])]
    return found


def command_line(random: Random, places: dict[str, Path]) -> list[str]:
    """A real command line with one to four mistakes."""
    words = random.choice(REAL).format(**places).split()
    for _ in range(random.choice([1, 1, 1, 2, 2, 3, 4])):
        words = random.choice(MUTATIONS)(random, words)
    return words


def set_value(random: Random, words: list[str]) -> list[str]:
    """Give an option that is there another value."""
    return change_one(random, words, lambda word: f"{word.partition('=')[0]}={random.choice(VALUES)}")


def set_key(random: Random, words: list[str]) -> list[str]:
    """Take another option for one."""
    return change_one(random, words, lambda word: f"{random.choice(keys())}={word.partition('=')[2]}")


def add_word(random: Random, words: list[str]) -> list[str]:
    """Add an option of any command with any value."""
    sign = random.choice(["", "", "", "", "+", "++", "~"])
    return [*words, f"{sign}{random.choice(keys())}={random.choice(VALUES)}"]


def remove_key(random: Random, words: list[str]) -> list[str]:
    """Remove a part of the configuration."""
    return [*words, f"~{random.choice(keys())}"]


def choose(random: Random, words: list[str]) -> list[str]:
    """Choose another part of a group."""
    group = random.choice(groups())
    return [*words, f"{group}={random.choice([*options(group), *VALUES])}"]


def add_flag(random: Random, words: list[str]) -> list[str]:
    """Add a flag somewhere."""
    place = random.randint(0, len(words))
    return [*words[:place], *random.choice(FLAGS).split(), *words[place:]]


def change_command(random: Random, words: list[str]) -> list[str]:
    """Put another command first."""
    return [random.choice([*MODULES, "trian", "samples", ""]), *(words[1:] if words and "=" not in words[0] else words)]


def drop(random: Random, words: list[str]) -> list[str]:
    """Leave a word out."""
    place = random.randrange(len(words)) if words else 0
    return words[:place] + words[place + 1 :]


def repeat(random: Random, words: list[str]) -> list[str]:
    """Type a word twice."""
    return [*words, random.choice(words)] if words else words


def mark(random: Random, words: list[str]) -> list[str]:
    """Put a sign before or behind a key."""
    sign = random.choice(["+", "++", "~", "-", "@", "/", "."])
    return change_one(
        random, words, lambda word: sign + word if random.random() < 0.7 else word.replace("=", f"{sign}x=", 1)
    )


def mistype(random: Random, words: list[str]) -> list[str]:
    """Leave out, double or replace a character."""

    def change(word: str) -> str:
        place = random.randrange(len(word) or 1)
        return (
            word[:place]
            + random.choice(["", word[place : place + 1] * 2, random.choice("=.,[]{}$'\"~@+ 0a")])
            + word[place + 1 :]
        )

    return change_one(random, words, change)


def change_one(random: Random, words: list[str], change) -> list[str]:
    """Change one of the words."""
    if not words:
        return words
    place = random.randrange(len(words))
    return [*words[:place], change(words[place]), *words[place + 1 :]]


MUTATIONS = [set_value, set_value, set_value, set_key, add_word, add_word, remove_key, choose, add_flag, change_command,
             drop, repeat, mark, mistype]  # fmt: skip
