"""Run folders as a stranger would make them: configurations that name code to run, and what notices that it ran."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any

import torch


def words(text: str) -> list[str]:
    """The words of a text."""
    return re.findall(r"\S+", text)


TARGETS = words("""
gan_lightning.data.sources.run_quietly gan_lightning.data.sources.subprocess.run gan_lightning.loggers.os.system
gan_lightning.csv_logger.CSVLogger gan_lightning.loggers.GuardedWandbLogger
gan_lightning.loggers.GuardedTensorBoardLogger gan_lightning.loggers.build
gan_lightning.models.GAN.load_from_checkpoint gan_lightning.build.load_module gan_lightning.build.instantiate
gan_lightning.evaluation.extractor.train_extractor gan_lightning.evaluation.inception.load_inception
gan_lightning.__main__.main gan_lightning.__builtins__.eval gan_lightning.files.write_atomically
gan_lightning.networks.dcgan.torch.load gan_lightning.networks.evil.Evil gan_lightning.sweep.SweepSummary
gan_lightning.training.run_folder.RunFolder gan_lightning.images.Image.open gan_lightning gan_lightning..evil
torch.load torch.hub.load torch.hub.download_url_to_file torch.ops.load_library torch.jit.load
torch.classes.load_library torch.optim.os.system torch.optim.lr_scheduler.warnings.warn
torch.optim.lr_scheduler.types.FunctionType torch.optim.Optimizer.load_state_dict
torch.optim.adam.Optimizer.__init__ torch.utils.cpp_extension.load torch.distributed.run.main torch.nn.Module
torch.package.PackageImporter torchvision.io.write_file pytorch_lightning.cli.LightningCLI

pytorch_lightning.loggers.wandb.os.system pytorch_lightning.callbacks.callback.Any pytorch_lightning.LightningModule
pytorch_lightning.Trainer.fit pytorch_lightning.utilities.migration.utils.migrate_checkpoint
pytorch_lightning.seed_everything lightning.pytorch.Trainer lightning_fabric.utilities.cloud_io.get_filesystem
numpy.load numpy.savetxt numpy.fromfile numpy.memmap numpy.f2py.compile numpy.distutils.exec_command.exec_command
pathlib.Path.write_text pathlib.Path.unlink pathlib.Path os.system os.popen os.remove os.execv os.kill os._exit
posix.system subprocess.run subprocess.Popen subprocess.check_output subprocess.getoutput shutil.rmtree shutil.copy
shutil.move builtins.eval builtins.exec builtins.open builtins.__import__ builtins.compile builtins.print
importlib.import_module runpy.run_path runpy.run_module pickle.loads pickle.load marshal.loads shelve.open
dill.loads functools.partial functools.reduce operator.methodcaller operator.attrgetter types.FunctionType
types.CodeType ctypes.CDLL ctypes.cdll.LoadLibrary webbrowser.open pdb.run timeit.timeit code.interact
codeop.compile_command logging.config.dictConfig logging.FileHandler multiprocessing.Process threading.Thread
asyncio.run socket.create_connection urllib.request.urlretrieve http.server.test tempfile.mkdtemp zipfile.ZipFile
tarfile.open sqlite3.connect yaml.unsafe_load yaml.load omegaconf.OmegaConf.load
omegaconf.OmegaConf.register_new_resolver wandb.init hydra.utils.get_class hydra.utils.get_method
hydra.utils.get_object hydra.utils.instantiate hydra.utils.call hydra._internal.utils._locate pkgutil.resolve_name
site.addsitedir sys.exit sys.settrace sys.modules.clear atexit.register evil evil.Evil evil.run
evil_package.inside.Evil .evil evil. ..evil evil..Evil
""")
"""Dotted names that are foreign wherever they stand."""

PLACES = words("""
trainer model data network network.generator network.discriminator loss augment conditioning updates optimizer
optimizer.generator optimizer.discriminator optimizer.scheduler penalty penalty.r1 penalty.evil auxiliary
auxiliary.evil annealing annealing.evil logger logger.wandb logger.evil callbacks callbacks.samples callbacks.evil
callbacks.evil.deeper model.algorithm model.latent_dim model.compile data.batch_size data.dir data.seed loss.weight
augment.policy network.generator.hidden network.generator.hidden.0 network.discriminator.norm network.evil
updates.n_critic optimizer.generator.lr optimizer.generator.betas.0 optimizer.scheduler.lr_lambda trainer.profiler
trainer.plugins trainer.plugins.0 trainer.callbacks.0 trainer.logger trainer.strategy trainer.accelerator
callbacks.samples.images logger.wandb.project seed precision max_images max_generator_steps default_generator_steps
objective evil hydra hydra.callbacks.evil hydra.job.config conditioning.num_classes.deeper.and.deeper.0.still.deeper
""")
"""Keys that get the hostile node; numbers are places of a list."""


def plain(name: str, sentinel: Path) -> dict[str, Any]:
    """A node that calls the name with what would leave a trace."""
    return {"_target_": name, "command": ["touch", str(sentinel)], "folder": str(sentinel.parent)}


def with_arguments(name: str, sentinel: Path) -> dict[str, Any]:
    """A node with positional arguments."""
    return {"_target_": name, "_args_": [f"touch {sentinel}"]}


def partial(name: str, sentinel: Path) -> dict[str, Any]:
    """A node that is only called later."""
    return {"_target_": name, "_partial_": True, "args": ["touch", str(sentinel)], "shell": True}


def not_recursive(name: str, sentinel: Path) -> dict[str, Any]:
    """A node inside one that Hydra leaves alone."""
    inner = {"_target_": name, "_args_": [f"touch {sentinel}"]}
    return {"_target_": "gan_lightning.losses.NonSaturating", "_recursive_": False, "_convert_": "all", "inner": inner}


def in_lists(name: str, sentinel: Path) -> list[Any]:
    """A node in lists of lists."""
    return [[], [{"a": [plain(name, sentinel)]}]]


def by_interpolation(name: str, sentinel: Path) -> dict[str, Any]:
    """A node that reads the name from elsewhere in the file."""
    return {"hidden": name, "_target_": "${.hidden}", "_args_": [f"touch {sentinel}"]}


def by_resolver(name: str, sentinel: Path) -> dict[str, Any]:
    """A node whose name a resolver makes."""
    return {"_target_": f"${{oc.decode:'{name}'}}", "path": "${oc.env:HOME}"}


def through_hydra(name: str, sentinel: Path) -> dict[str, Any]:
    """A node that has Hydra find the name."""
    return {"_target_": "hydra.utils.get_method", "path": name}


def through_a_part(name: str, sentinel: Path) -> dict[str, Any]:
    """The name as an argument of an allowed class."""
    callbacks = {"_target_": "pytorch_lightning.callbacks.LambdaCallback", "on_train_start": plain(name, sentinel)}
    return {"_target_": "torch.optim.lr_scheduler.LambdaLR", "_partial_": True, "lr_lambda": callbacks}


def disguised(name: str, sentinel: Path) -> dict[str, Any]:
    """The name behind a prefix that is allowed."""
    return {"_target_": f"gan_lightning.networks.{name}", "_args_": [f"touch {sentinel}"]}


def with_spaces(name: str, sentinel: Path) -> dict[str, Any]:
    """The name with a line's end, as a careless pattern would let it pass."""
    return {"_target_": f"torch.optim.Adam\n{name}", "_args_": [f"touch {sentinel}"]}


def of_another_type(name: str, sentinel: Path) -> dict[str, Any]:
    """A list where the name should be."""
    return {"_target_": [name, {"_target_": name}], "_args_": [f"touch {sentinel}"]}


TRICKS = (
    plain, with_arguments, partial, not_recursive, in_lists, by_interpolation, by_resolver, through_hydra,
    through_a_part, disguised, with_spaces, of_another_type,
)  # fmt: skip


def put(config: Any, path: str, node: Any) -> None:
    """Set a node under a dotted key, and make what is missing on the way."""
    *parents, last = path.split(".")
    for key, following in zip(parents, [*parents, last][1:], strict=True):
        wanted = list if following.isdigit() else dict
        inside = dict(enumerate(config)).get(int(key)) if isinstance(config, list) else config.get(key)
        config = inside if isinstance(inside, wanted) else put_here(config, key, wanted())
    put_here(config, last, node)


def put_here(config: Any, key: str, node: Any) -> Any:
    """Set an item of a mapping, or of a list that grows with it; and return it."""
    if isinstance(config, list):
        config[int(key) :] = [node]
    else:
        config[key] = node
    return node


def hostile_configs(base: dict[str, Any], count: int, sentinel: Path, seed: int = 0) -> Iterator[tuple[str, dict]]:
    """Configurations, each with one hostile node, and what it is; every target, place and trick comes in its turn.

    Args:
        base: The configuration of an honest run.
        count: How many.
        sentinel: The file that running any of them might make.
        seed: Seed of the combinations.
    """
    for index, (target, place, trick) in enumerate(islice(combinations(seed), count)):
        config = deepcopy(base)
        node: Any = trick(target, sentinel)
        if place == "model.algorithm" and trick is plain:
            node = target
        put(config, place, node)
        yield f"{index} {place}={trick.__name__}({target})", config


def combinations(seed: int) -> Iterator[tuple[str, str, Any]]:
    """Targets, places and tricks, endlessly: each in an order of its own that is drawn anew when it is over."""
    random = torch.Generator().manual_seed(seed)

    def endless(items: Any) -> Iterator[Any]:
        while True:
            yield from (items[index] for index in torch.randperm(len(items), generator=random).tolist())

    yield from zip(endless(TARGETS), endless(PLACES), endless(TRICKS), strict=True)


FILES = ("open", "os.remove", "os.rename", "os.mkdir", "os.rmdir")
"""Audit events whose first argument is a path."""


class Watch:
    """Records what Python's audit events tell of: processes, files written or deleted, connections."""

    ALARMING = tuple(
        words("""
    subprocess. os.system os.exec os.posix_spawn os.fork os.spawn os.remove os.rename os.rmdir os.mkdir os.kill shutil.
    os.truncate os.symlink os.link socket.connect ctypes.dlopen pickle.find_class urllib.Request webbrowser.open
    pty.spawn
    """)
    )

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        self.inside = ""

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Python's audit hook."""
        if not self.on:
            return
        if self.inside and event.startswith(FILES) and f"{arguments[0]}/".startswith(self.inside):
            return
        if event.startswith(self.ALARMING) or (event == "open" and writes(*arguments)):
            self.seen.append(f"{event} {arguments!r:.200}")

    @contextmanager
    def watching(self, inside: Path | None = None) -> Iterator[list[str]]:
        """What is seen in the block, but for files that are written in a run folder, such as its lock."""
        self.seen, self.on, self.inside = [], True, f"{inside}/" if inside else ""
        try:
            yield self.seen
        finally:
            self.on = False


def writes(path: Any, mode: Any, flags: Any) -> bool:
    """Whether a file is opened for writing; compiled modules, which Python keeps for itself, do not count.

    Nor does a file's number, under which one that was opened before gets a mode.
    """
    if isinstance(path, int):
        return False
    wanted = (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & 3)
    return bool(wanted) and "__pycache__" not in str(path)


WATCH = Watch()
sys.addaudithook(WATCH)  # there is no way to take one back: it stays, and is off
