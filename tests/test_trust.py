"""A run folder is data: nothing that it names runs, and nothing is written elsewhere, unless it is trusted."""

import os
import pickle
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from pytorch_lightning import Callback

from gan_lightning.__main__ import run_command
from gan_lightning.build import load_module, load_sampler
from gan_lightning.config.allowed import PLACES, find_class, find_foreign, find_outside, is_allowed, place_of
from gan_lightning.config.compose import CONF_DIR, compose, options
from gan_lightning.config.stored import MAX_BYTES, MAX_DEPTH, read_config
from gan_lightning.errors import UserError
from gan_lightning.files import append, find_link, replacing, write_atomically
from gan_lightning.training.run_folder import RunFolder
from tests.helpers import SHORT, run
from tests.hostile import PLACES as HOSTILE_PLACES
from tests.hostile import TARGETS, TRICKS, WATCH, hostile_configs

pytestmark = pytest.mark.slow


@pytest.fixture
def stranger(tmp_path, finished, monkeypatch) -> RunFolder:
    """A copy of a run folder, which tests make hostile; the working folder holds evil.py."""
    folder = RunFolder(tmp_path / "stranger")
    shutil.copytree(finished.path, folder.path)
    work = tmp_path / "work"
    (work / "evil_package").mkdir(parents=True)
    trap = f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\ndef run(**k): pass\nEvil = inside = run\n"
    for name in ("evil.py", "evil_package/__init__.py", "evil_package/inside.py"):
        (work / name).write_text(trap)
    monkeypatch.chdir(work)
    monkeypatch.syspath_prepend(str(work))
    return folder


@pytest.fixture
def base(finished) -> dict:
    return yaml.safe_load(finished.config_file.read_text())


def entrances(folder: RunFolder, out: Path):
    """Every way in which a run folder is read."""
    return {
        "sample": lambda: run_command("sample", f"run={folder.path}", "n=4", f"out={out}"),
        "evaluate": lambda: run_command("evaluate", f"run={folder.path}", "n=200"),
        "resume": lambda: run_command("resume", f"run={folder.path}", "max_generator_steps=8"),
        "load_module": lambda: load_module(str(folder.last)),
        "load_sampler": lambda: load_sampler(str(folder.path)),
    }


# 0 of 500 hostile run folders execute anything


def refuse_hostile(stranger: RunFolder, base: dict, ran: Path, count: int, seed: int) -> int:
    """Try hostile configurations by each entrance in turn; the number of those that are refused and run nothing."""
    ways = list(entrances(stranger, ran.with_name("drawn.png")).items())
    evil = {name for name in sys.modules if name.startswith("evil")}
    failed = []
    for index, (name, config) in enumerate(hostile_configs(base, count, ran, seed)):
        stranger.config_file.write_text(yaml.safe_dump(config))
        entrance, enter = ways[index % len(ways)]
        with WATCH.watching(stranger.path) as seen:
            try:
                enter()
                message = "it was read"
            except UserError as error:
                message = str(error)
            except Exception as error:
                message = f"{type(error).__name__}: {error}"
        imported = {name for name in sys.modules if name.startswith("evil")} - evil
        refused = f"{stranger.config_file} names code that a run folder may not name:" in message
        if seen or imported or ran.exists() or not refused or not message.endswith("add trust=true"):
            failed.append((name, entrance, message, seen, imported))
    assert not failed, failed[:5]
    return count - len(failed)


@pytest.mark.parametrize("seed", range(2))
def test_of_100_hostile_run_folders_none_runs_anything(stranger, base, tmp_path, seed):
    assert refuse_hostile(stranger, base, tmp_path / "ran", 50, seed) == 50


@pytest.mark.parametrize("seed", range(10, 14))
def test_of_1000_hostile_run_folders_none_runs_anything(stranger, base, tmp_path, seed):
    assert refuse_hostile(stranger, base, tmp_path / "ran", 250, seed) == 250


def test_the_watch_sees_what_runs(tmp_path):
    with WATCH.watching() as seen:
        os.system("true")
        (tmp_path / "file").write_text("x")
        (tmp_path / "file").unlink()
    assert [line.split()[0] for line in seen] == ["os.system", "open", "os.remove"]


def test_the_hostile_folders_would_run_if_they_were_trusted(stranger, base, tmp_path):
    """The trap works: what the tests above do not see is refused, not ineffective."""
    base["penalty"] = {"r1": {"_target_": "evil.run"}, "z": {"_target_": "nothing.at.all"}}
    stranger.config_file.write_text(yaml.safe_dump(base))
    with pytest.raises(UserError, match="z._target_=nothing.at.all names nothing that can be imported"):
        load_module(str(stranger.path), trust=True)
    assert (tmp_path / "ran").exists()
    del sys.modules["evil"]


@pytest.mark.parametrize("place", PLACES)
def test_no_hostile_target_is_allowed_anywhere(place):
    assert [name for name in TARGETS if is_allowed(name, PLACES[place])] == []


def test_every_place_trick_and_target_comes_in_its_turn(base, tmp_path):
    names = [name for name, _ in hostile_configs(base, 300, tmp_path)]
    for wanted in (*TARGETS, *(f" {place}=" for place in HOSTILE_PLACES), *(trick.__name__ for trick in TRICKS)):
        assert any(wanted in name for name in names), wanted


# What is allowed


def named_in_conf() -> list[tuple[str, str]]:
    """Place and dotted name of everything that the files of conf/ name."""
    found = []

    def visit(path, node):
        for key, value in node.items() if isinstance(node, dict) else ():
            if key == "_target_":
                found.append((path, value))
            visit(f"{path}.{key}".removeprefix("."), value)

    for file in sorted(CONF_DIR.rglob("*.yaml")):
        text = file.read_text()
        package = next((line.split()[-1] for line in text.splitlines() if line.startswith("# @package")), "")
        group = file.relative_to(CONF_DIR).parts[0]
        if group not in ("hydra", "train.yaml", "plain.yaml"):
            visit({"_global_": "", "": group}.get(package, package), OmegaConf.to_container(OmegaConf.load(file)))
    return found


def test_all_that_conf_names_is_allowed_where_it_stands():
    named = named_in_conf()
    assert len(named) > 60
    for path, name in named:
        place = place_of(path)
        assert place is not None and is_allowed(name, place), (path, name)


def test_a_class_of_one_group_is_foreign_in_another():
    """Only networks, which have no class in common, are all modules of torch."""
    for path, name in named_in_conf():
        own = place_of(path)
        for other in {*PLACES.values()} - {own}:
            related = own is not None and {own.package, other.package} == {"gan_lightning.networks"}
            assert related or not is_allowed(name, other), (name, other)


@pytest.mark.parametrize("experiment", ["best_mnist", pytest.param(None, marks=pytest.mark.slow)])
def test_recipes_name_nothing_foreign(experiment):
    for name in options("experiment") if experiment is None else [experiment]:
        cfg = compose(f"experiment={name}")
        assert find_foreign(OmegaConf.to_container(cfg, resolve=True)) == [], name


def test_lightnings_callbacks_and_torchs_optimizers_are_allowed():
    for path, name in {
        "callbacks.stop": "pytorch_lightning.callbacks.EarlyStopping",
        "callbacks.best": "pytorch_lightning.callbacks.ModelCheckpoint",
        "logger.csv": "pytorch_lightning.loggers.CSVLogger",
        "optimizer.generator": "torch.optim.AdamW",
        "optimizer.scheduler": "torch.optim.lr_scheduler.ReduceLROnPlateau",
        "network.generator": "gan_lightning.networks.dcgan.DCGANGenerator",
        "model.algorithm": "gan_lightning.models.gan.GAN",
    }.items():
        assert is_allowed(name, place_of(path)), name


def test_a_name_leads_through_no_module_to_what_it_imports():
    """`torch.optim.adam.Tensor` and the like are classes, and modules have them; but they are not theirs."""
    loss = PLACES["loss"]
    assert find_class("gan_lightning.losses.nn.Module", loss) is None
    assert find_class("gan_lightning.models.module.LightningModule", loss) is None
    assert find_class("gan_lightning.losses.Hinge", loss) is not None
    assert find_class("gan_lightning.losses.Hinge.__init__", loss) is None
    assert find_class("gan_lightning.f_divergences.Loss", loss) is not None  # its own, by another module's name


# What is foreign, and trusted


class Recorder(Callback):
    """Somebody's own callback."""


@pytest.fixture(scope="module")
def own_code(tmp_path_factory, cache_folder):
    """A run with a callback from outside the package."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GAN_LIGHTNING_CACHE", str(cache_folder))
    recorder = "+callbacks.recorder._target_=tests.test_trust.Recorder"
    yield run(tmp_path_factory.mktemp("own") / "run", *SHORT, "max_generator_steps=2", recorder)
    patch.undo()


def test_training_with_own_code_marks_the_folder(own_code, finished):
    assert own_code.status()["foreign_code"] == ["callbacks.recorder._target_=tests.test_trust.Recorder"]
    assert finished.status()["foreign_code"] == []


@pytest.mark.parametrize("entrance", ["sample", "evaluate", "resume", "load_module", "load_sampler"])
def test_a_folder_with_foreign_code_is_refused_with_its_name(own_code, tmp_path, entrance):
    own_code.write_status(own_code.status() | {"foreign_code": []})  # the mark is for people, and grants nothing
    with pytest.raises(UserError) as error:
        entrances(own_code, tmp_path / "drawn.png")[entrance]()
    text = str(error.value)
    assert (
        "callbacks.recorder._target_=tests.test_trust.Recorder (allowed: pytorch_lightning.callbacks.Callback" in text
    )
    assert text.endswith("add trust=true")


def test_trust_reads_a_folder_with_foreign_code(own_code, tmp_path):
    run_command("sample", f"run={own_code.path}", "n=4", f"out={tmp_path / 'drawn.png'}", "trust=true")
    assert (tmp_path / "drawn.png").is_file()
    sampler, _ = load_sampler(str(own_code.path), trust=True)
    assert sampler.sample(3).shape == (3, 1, 28, 28)
    run_command("evaluate", f"run={own_code.path}", "n=200", "trust=true")
    run_command("resume", f"run={own_code.path}", "max_generator_steps=3", "trust=true")
    assert own_code.status()["generator_steps"] == 3
    assert own_code.status()["foreign_code"] == ["callbacks.recorder._target_=tests.test_trust.Recorder"]


def test_what_the_user_types_at_resume_is_his_own(tmp_path):
    folder = run(tmp_path / "run", *SHORT, "max_generator_steps=2")
    recorder = "+callbacks.recorder._target_=tests.test_trust.Recorder"
    run_command("resume", f"run={folder.path}", "max_generator_steps=3", recorder)
    assert folder.status()["foreign_code"] == ["callbacks.recorder._target_=tests.test_trust.Recorder"]


# Places outside the folder


OUTSIDE = {
    "callbacks.best": ("pytorch_lightning.callbacks.ModelCheckpoint", "dirpath", "/elsewhere"),
    "callbacks.name": ("pytorch_lightning.callbacks.ModelCheckpoint", "filename", "../../x"),
    "callbacks.relative": ("pytorch_lightning.callbacks.ModelCheckpoint", "dirpath", "here"),
    "callbacks.server": ("pytorch_lightning.callbacks.ModelCheckpoint", "dirpath", "s3://bucket/x"),
    "callbacks.error": ("pytorch_lightning.callbacks.OnExceptionCheckpoint", "dirpath", "~"),
    "callbacks.spikes": ("pytorch_lightning.callbacks.SpikeDetection", "exclude_batches_path", "/elsewhere/x.json"),
    "logger.board": ("pytorch_lightning.loggers.TensorBoardLogger", "save_dir", "/elsewhere"),
    "logger.version": ("pytorch_lightning.loggers.TensorBoardLogger", "version", "/elsewhere"),
    "logger.csv": ("pytorch_lightning.loggers.CSVLogger", "name", "../.."),
}


@pytest.mark.parametrize("place", OUTSIDE)
def test_a_run_that_would_write_elsewhere_is_not_resumed(stranger, base, place):
    target, key, value = OUTSIDE[place]
    group, name = place.split(".")
    base[group][name] = {"_target_": target, key: value}
    stranger.config_file.write_text(yaml.safe_dump(base))
    with pytest.raises(
        UserError, match=rf"would write outside its folder:\n  {place}.{key}=.* \(allowed: places in .*"
    ):
        run_command("resume", f"run={stranger.path}", "max_generator_steps=8")
    assert read_config(stranger.config_file)[group][name][key] == value  # to draw samples from it does no harm


@pytest.mark.parametrize("name", ["MLFlowLogger", "WandbLogger", "CometLogger"])
def test_a_logger_that_sends_to_an_address_of_the_folders_is_not_resumed(stranger, base, name):
    base["logger"] = {"mine": {"_target_": f"pytorch_lightning.loggers.{name}"}}
    stranger.config_file.write_text(yaml.safe_dump(base))
    with pytest.raises(UserError, match=rf"logger.mine._target_=.*{name} \(it may send to any address"):
        run_command("resume", f"run={stranger.path}", "max_generator_steps=8")
    load_module(str(stranger.path))  # which needs no logger
    run_command("resume", f"run={stranger.path}", "max_generator_steps=8", "logger=csv")


def test_a_place_that_the_user_types_anew_is_his_own(stranger, base, tmp_path):
    base["callbacks"]["best"] = {"_target_": "pytorch_lightning.callbacks.ModelCheckpoint", "dirpath": "/elsewhere"}
    stranger.config_file.write_text(yaml.safe_dump(base))
    typed = f"callbacks.best.dirpath={tmp_path / 'mine'}"
    run_command("resume", f"run={stranger.path}", "max_generator_steps=8", typed)
    assert stranger.status()["generator_steps"] == 8


def test_places_in_the_folder_are_allowed(tmp_path):
    config = {"callbacks": {"best": {"dirpath": str(tmp_path / "run" / "checkpoints"), "filename": "best", "n": 3}}}
    assert find_outside(config, tmp_path / "run") == []
    assert find_outside({"trainer": {"model_registry": "me/x"}}, tmp_path) != []


# Damaged and dangerous files


NESTED = "".join(f"l{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))

FILES = {
    "an alias": ("a: &a [x, x]\n" + "b: *a\n", r"it has an alias, \*a, and runs write none"),
    "a billion laughs": ("l0: &a0 [lol]\n" + NESTED, "it has an alias"),
    "a merge": ("a: &a {x: 1}\nb:\n  <<: *a\n", "it has an alias"),
    "a long file": ("x: " + "1" * MAX_BYTES, f"it is longer than {MAX_BYTES:,} bytes"),
    "a deep file": ("[" * 5000 + "]" * 5000, "while increasing flow level|it nests mappings and lists"),
    "a deep block": ("- " * 5000, f"it nests mappings and lists {MAX_DEPTH} deep"),
    "a python object": (
        "a: !!python/object/apply:os.system ['true']\n",
        "it has a tag, tag:yaml",
    ),
    "a python name": ("a: !!python/name:os.system\n", "it has a tag, tag:yaml"),
    "a set": ("a: !!set {x, y}\n", "cannot be read"),
    "a date": ("a: 2020-01-01\n", "cannot be read|says nothing"),
    "a torn line": ("a: [1, 2\n", "cannot be read"),
    "two keys": ("a: 1\na: 2\n", "while constructing a mapping"),
    "an empty file": ("", "says nothing about annealing, .*: it is damaged, or an earlier version"),
    "a word": ("word", "says nothing about"),
    "a list": ("- 1\n", "says nothing about"),
    "two documents": ("a: 1\n---\nb: 2\n", "cannot be read"),
    "a huge number": ("a: " + "9" * 20000, "cannot be read"),
    "bytes": (b"\xff\xfe\x00a", "cannot be read"),
    "a bell": ("a: \x07\n", "cannot be read"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_configuration_is_refused_by_name(stranger, kind):
    content, message = FILES[kind]
    stranger.config_file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for trust in (False, True):
        with pytest.raises(UserError, match=message) as error:
            load_module(str(stranger.path), trust=trust)
        assert str(error.value).startswith(str(stranger.config_file))


def test_keys_that_are_no_words_are_refused(stranger, base):
    for key in (1, 1.5, True):
        stranger.config_file.write_text(yaml.safe_dump(base | {key: {"_target_": "evil.run"}}))
        with pytest.raises(UserError, match="names code that a run folder may not name"):
            stranger.config()


def test_a_configuration_with_a_missing_or_wrong_option_is_explained(stranger, base):
    del base["model"]["latent_dim"]
    stranger.config_file.write_text(yaml.safe_dump(base))
    with pytest.raises(UserError, match=r"config.yaml describes no run of this version: model.latent_dim is missing"):
        load_module(str(stranger.path))
    base["model"]["latent_dim"] = "many"
    stranger.config_file.write_text(yaml.safe_dump(base))
    with pytest.raises(UserError, match="model.latent_dim=many is not allowed"):
        load_module(str(stranger.path))


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("wrap", [torch.save, lambda bomb, file: file.write_bytes(pickle.dumps(bomb))])
def test_a_checkpoint_that_would_run_code_is_refused(stranger, tmp_path, wrap):
    wrap({"state_dict": Bomb(f"touch {tmp_path / 'ran'}")} if wrap is torch.save else Bomb("true"), stranger.last)
    for enter in entrances(stranger, tmp_path / "drawn.png").values():
        with WATCH.watching(stranger.path) as seen, pytest.raises(UserError, match=r"last\.ckpt"):
            enter()
        assert not seen and not (tmp_path / "ran").exists()


# Links


LINKED = ["status.json", "metrics.csv", "scores.jsonl", "wandb_id.txt", "train.log", "timelapse.gif", "losses.png",
          ".hydra/config.yaml", "samples/real.png", "checkpoints/last.part", "tensorboard/hparams.yaml"]  # fmt: skip


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize("entrance", ["resume", "evaluate"])
def test_no_file_outside_is_written_through_a_link(stranger, tmp_path, name, entrance):
    link, outside = stranger.path / name, tmp_path / "outside"
    outside.write_text(link.read_text() if name.endswith("config.yaml") else "precious")
    before = outside.read_bytes()
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    with pytest.raises(UserError, match=rf"{name} in .* is a symbolic link \(to {outside}\).*put what it leads to"):
        entrances(stranger, tmp_path / "drawn.png")[entrance]()
    assert outside.read_bytes() == before


@pytest.mark.parametrize("name", ["samples", "checkpoints", "evaluation", "wandb", ".hydra"])
def test_a_folder_that_is_a_link_is_refused_and_nothing_of_another_run_deleted(stranger, finished, tmp_path, name):
    other = tmp_path / "other"
    shutil.copytree(finished.path, other)
    (other / name).mkdir(exist_ok=True)
    (other / "samples" / "step-9999999.png").touch()
    before = sorted(file for file in other.rglob("*"))
    shutil.rmtree(stranger.path / name, ignore_errors=True)
    (stranger.path / name).symlink_to(other / name, target_is_directory=True)
    with pytest.raises(UserError, match=rf"{name} in .* is a symbolic link"):
        run_command("resume", f"run={stranger.path}", "max_generator_steps=8")
    assert sorted(file for file in other.rglob("*")) == before


def test_training_in_a_folder_with_a_link_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "samples").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(UserError, match="samples in .* is a symbolic link"):
        run(tmp_path / "run", *SHORT, "max_generator_steps=2")


def test_the_run_folder_itself_may_be_reached_by_a_link(finished, tmp_path):
    (tmp_path / "linked").symlink_to(finished.path, target_is_directory=True)
    run_command("sample", f"run={tmp_path / 'linked'}", "n=4", f"out={tmp_path / 'drawn.png'}")
    run_command("evaluate", f"run={tmp_path / 'linked'}", "n=200")


def test_a_link_to_a_file_of_the_same_folder_is_harmless(tmp_path):
    (tmp_path / "last.ckpt").touch()
    (tmp_path / "best.ckpt").symlink_to("last.ckpt")
    assert find_link(tmp_path) is None
    for target in ("nothing", "loop", "..", "/"):
        link = tmp_path / "loop"
        link.symlink_to(target)
        assert find_link(tmp_path) == link
        link.unlink()


def test_files_are_written_whole_and_replace_links(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("precious")
    link.symlink_to(target)
    (tmp_path / f"link.{os.getpid()}.part").symlink_to(target)
    write_atomically(link, b"new")
    assert (link.read_text(), link.is_symlink(), target.read_text()) == ("new", False, "precious")
    with pytest.raises(ZeroDivisionError), replacing(link) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert link.read_text() == "new" and sorted(tmp_path.iterdir()) == [link, target]


def test_nothing_is_appended_through_a_link(tmp_path):
    append(tmp_path / "file", "one\n")
    append(tmp_path / "file", "two\n")
    assert (tmp_path / "file").read_text() == "one\ntwo\n"
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OSError):
        append(tmp_path / "link", "three\n")
    assert (tmp_path / "file").read_text() == "one\ntwo\n"


# Secrets


@pytest.mark.parametrize("origin", ["environment", "netrc"])
def test_no_file_of_a_run_holds_the_key_of_wandb(tmp_path, monkeypatch, origin):
    secret = "5ec7e7" + "0123456789abcdef" * 2 + "ab"
    if origin == "environment":
        monkeypatch.setenv("WANDB_API_KEY", secret)
    else:
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine api.wandb.ai\n  login user\n  password {secret}\n")
        monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = run(tmp_path / "run", *SHORT, "max_generator_steps=2", "logger=wandb")
    files = [file for file in folder.path.rglob("*") if file.is_file()]
    assert any("wandb" in file.parts for file in files) and len(files) > 8
    assert [file for file in files if secret.encode() in file.read_bytes()] == []
