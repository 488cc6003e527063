"""The speed of gan_lightning on this machine, as ratios inside one run: a table, and bench.json.

    python -m benchmarks.bench [ROW ...]

Without words every row is measured. What a row compares is measured in turns, so that whatever else the machine does
falls on both; shown are medians, and the quartiles of the ratio.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.loops import synchronise
from benchmarks.timing import Row, in_turns, measure, quartiles, rates
from gan_lightning.build import build_data, build_module, load_module
from gan_lightning.config.compose import compose
from gan_lightning.data import ImageData
from gan_lightning.data.loader import Batch, BatchLoader
from gan_lightning.evaluation.scorer import Scorer
from gan_lightning.images import to_float
from gan_lightning.loggers import RunLabel
from gan_lightning.models.discriminate import Sample, frozen
from gan_lightning.training.precision import bfloat16_is_faster
from gan_lightning.training.run import train
from gan_lightning.training.run_folder import RunFolder

MODELS = {
    "dcgan": ("model=dcgan",),
    "mlp": ("model=dcgan", "network=mlp"),
    "wgan_gp": ("model=wgan_gp",),
}

QUIET = ("data=mnist", "logger=csv", f"callbacks.samples.first={10**9}")

THRESHOLDS = [50.0, 20.0, 10.0, 5.0, 3.0]

SEEDS = (0, 1, 2)

CPU = torch.device("cpu")


def train_in(folder: str, *words: str) -> RunFolder:
    """A training run, as the command line would have it."""
    run = RunFolder(Path(folder) / "run")
    train(compose(*QUIET, *words), run, RunLabel("bench"))
    return run


def mnist() -> ImageData:
    """MNIST, in memory."""
    data = build_data(compose("data=mnist"))
    data.prepare_data()
    data.setup()
    return data


# Rows


def loop(
    model: str, batch_size: int, chunk: int, plain: bool = False, repeats: int = 9, words: Sequence[str] = ()
) -> Row:
    """Images/s of our training, with all callbacks but pictures and checkpoints, against a bare loop."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.json"
        probe = (
            f"+callbacks.interleave={{_target_: benchmarks.loops.Interleave, file: {file}, chunk: {chunk}, "
            f"repeats: {repeats}, plain: {plain}}}"
        )
        train_in(folder, *MODELS[model], f"data.batch_size={batch_size}", "trainer.max_epochs=1000", probe, *words)
        pairs = json.loads(file.read_text())
    return rates(pairs, chunk * batch_size, ("ours", "bare loop, float32 NCHW" if plain else "bare loop"))


def data_path() -> Row:
    """Images/s of batches by our loader, and by torchvision's data set, transforms and DataLoader."""
    from PIL import Image
    from torchvision import transforms
    from torchvision.datasets import VisionDataset

    images, labels = (part[:5120] for part in mnist().training)

    class PerImage(VisionDataset):
        """What torchvision.datasets.MNIST does for each image: a PIL image, then the transforms."""

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            picture = Image.fromarray(images[index, 0].numpy())
            return self.transforms(picture, int(labels[index]))

    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
    theirs: Any = torch.utils.data.DataLoader(PerImage("", transform=steps), batch_size=64, shuffle=True)
    ours = BatchLoader(Batch(images, labels), 64, seed=0)
    pairs = in_turns([lambda: [to_float(batch.images) for batch in ours], lambda: list(theirs)])
    return rates(pairs, len(images), ("ours", "torchvision, image by image"))


def utilisation(model: str, batch_size: int = 64) -> Row:
    """Share of the processor's peak: operations of a step, counted by torch, over what a 3x3 convolution reaches."""
    words = (*MODELS[model], *QUIET, f"data.batch_size={batch_size}")
    kind = torch.bfloat16 if bfloat16_is_faster("cpu") else torch.float32
    operations = operations_of_a_step(words)
    product, convolution = machine_peak(kind)
    rounds = []
    for _ in range(3):  # the peak before and after each run: it moves with the machine's clock
        rate = loop(model, batch_size, chunk=30, repeats=3)["ours"] / batch_size
        product_after, convolution_after = machine_peak(kind)
        rounds.append((operations * rate, (convolution + convolution_after) / 2, (product + product_after) / 2))
        product, convolution = product_after, convolution_after
    reached, peak, matrix = (statistics.median(column) / 1e9 for column in zip(*rounds, strict=True))
    return quartiles([ours / peak for ours, peak, _ in rounds]) | {
        "GFLOP/s": round(reached),
        "3x3 convolution": round(peak),
        "matrix product": round(matrix),
    }


def operations_of_a_step(words: Sequence[str]) -> int:
    """Floating-point operations of one step of both networks, forward and backward."""
    cfg = compose(*words)
    module = build_module(cfg, (1, 28, 28), num_classes=10)
    count = cfg.data.batch_size
    real = Sample(torch.rand(count, 1, 28, 28), module.conditioning.of_real(torch.zeros(count, dtype=torch.long)))
    with FlopCounterMode(display=False) as counter:
        fake = module.generate(*module.sample_inputs(real.y), graph=True)
        on_real, on_fake = module.discriminate.both(real, fake.detach())
        module.loss.discriminator(real=on_real.logits, fake=on_fake.logits).backward()
        with frozen(module.discriminator):
            module.loss.generator(real=module.real_logits(real), fake=module.discriminate(fake).logits).backward()
    return counter.get_total_flops()


def machine_peak(
    kind: torch.dtype, device: torch.device = CPU, size: int = 2048, batch: int = 64
) -> tuple[float, float]:
    """FLOP/s of a large matrix product and of a 3x3 convolution forward and backward, in this number format."""

    def maps(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, dtype=kind).to(memory_format=torch.channels_last)

    a, b = torch.randn(2, size, size, device=device).to(kind)
    x, weight = maps(batch, 128, 14, 14).requires_grad_(), maps(128, 128, 3, 3).requires_grad_()
    gradient = maps(batch, 128, 14, 14)

    def multiply() -> None:
        for _ in range(5):
            a @ b
        synchronise(device)

    def convolve() -> None:
        for _ in range(5):
            torch.autograd.grad(F.conv2d(x, weight, padding=1), (x, weight), gradient)
        synchronise(device)

    rounds = in_turns([multiply, convolve])
    product, convolution = (statistics.median(column) / 5 for column in zip(*rounds, strict=True))
    return 2 * size**3 / product, 6 * batch * 14**2 * 128 * 128 * 9 / convolution


def start_up() -> Row:
    """Seconds from the command to the end of its first step, and of importing torch and pytorch_lightning alone."""
    with tempfile.TemporaryDirectory() as folder:
        runs = iter(range(100))
        first_steps = []

        def command() -> None:
            number = next(runs)
            file = Path(folder) / f"{number}.txt"
            probe = f"+callbacks.first={{_target_: benchmarks.loops.FirstStep, file: {file}}}"
            started = time.time()
            python("-m", "gan_lightning", "data=mnist", "logger=csv", f"hydra.run.dir={folder}/{number}", probe)
            first_steps.append(float(file.read_text()) - started)

        imports = "import gan_lightning, torch, pytorch_lightning"
        parts = [lambda: python("-c", imports), command, lambda: python("-m", "gan_lightning", "--help")]
        rounds = in_turns(parts, repeats=5)
    imported, _, helped = (statistics.median(column) for column in zip(*rounds, strict=True))
    pairs = list(zip(first_steps[1:], [row[0] for row in rounds], strict=True))
    return quartiles([first / alone for first, alone in pairs]) | {
        "s to first step": round(statistics.median(first_steps[1:]), 2),
        "s of imports alone": round(imported, 2),
        "s of --help": round(helped, 2),
    }


def python(*words: str) -> str:
    """What a Python process of its own prints."""
    return subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True).stdout


def memory() -> Row:
    """Peak memory of 200 steps on MNIST, GiB, and of importing torch and pytorch_lightning alone (on Linux)."""
    peak = "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    imports = "import gan_lightning, torch, pytorch_lightning; "
    with tempfile.TemporaryDirectory() as folder:
        words = ["data=mnist", "logger=csv", "max_generator_steps=200", f"hydra.run.dir={folder}/run"]
        command = f"import sys; sys.argv[1:] = {words}; from gan_lightning.__main__ import main; main(); "
        ours, alone = (int(python("-c", code + peak).splitlines()[-1]) / 2**20 for code in (command, imports))
    return {"GiB": round(ours, 2), "GiB of imports alone": round(alone, 2), "ratio": round(ours / alone, 2)}


def evaluation() -> Row:
    """Seconds of drawing 10,000 samples of a DCGAN and of scoring them; the real images' features are cached."""
    with tempfile.TemporaryDirectory() as folder:
        run = train_in(folder, "model=dcgan", "max_generator_steps=1")
        sampler = load_module(str(run.path))[0].sampler()
    scorer = Scorer(mnist())
    scorer.real_baseline()
    samples = sampler.sample(scorer.n)
    rounds = in_turns([lambda: sampler.sample(scorer.n), lambda: scorer.measure(samples)], repeats=3)
    drawn, scored = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {"s to draw 10,000": round(drawn, 1), "s to score them": round(scored, 1)}


def time_to_quality(*words: str) -> Row:
    """Seconds of training until the Frechet distance to the validation images first is under each threshold."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        probe = (
            f"+callbacks.milestones={{_target_: benchmarks.loops.Milestones, file: {file}, thresholds: {THRESHOLDS}}}"
        )
        train_in(folder, *words, "trainer.max_epochs=1000", "trainer.max_time=null", probe)
        rows = json.loads(file.read_text())
    reached = {t: next((row["seconds"] for row in rows if row["frechet"] < t), None) for t in THRESHOLDS}
    return {f"s to {t:g}": None if s is None else round(s, 1) for t, s in reached.items()}


def quality_of_bfloat16(images: int = 40_000) -> Row:
    """Frechet distance and coverage after the same images in bfloat16 and in float32, over three seeds."""
    found: dict[str, list[float]] = {}
    scorer = Scorer(mnist(), "validation")
    for seed in SEEDS:
        for precision in ("bf16", "32"):
            with tempfile.TemporaryDirectory() as folder:
                words = ("experiment=fast_mnist", f"seed={seed}", f"precision={precision}", f"max_images={images}")
                run = train_in(folder, *words, "trainer.max_time=null")
                sampler = load_module(str(run.path))[0].sampler()
                scores = scorer.measure(sampler.sample(scorer.n)).scores
            for name in ("frechet", "coverage"):
                found.setdefault(f"{name}, {precision}", []).append(scores[name])
    return {name: [round(value, 3) for value in values] for name, values in found.items()}


ROWS: dict[str, Callable[[], Row]] = {
    "loop-dcgan-64": lambda: loop("dcgan", 64, chunk=30),
    "loop-dcgan-256": lambda: loop("dcgan", 256, chunk=10),
    "loop-mlp-64": lambda: loop("mlp", 64, chunk=100),
    "loop-mlp-256": lambda: loop("mlp", 256, chunk=50),
    "loop-wgan_gp-64": lambda: loop("wgan_gp", 64, chunk=25),
    "best-against-float32": lambda: loop("dcgan", 64, chunk=20, plain=True),
    "data": data_path,
    "utilisation-dcgan-64": lambda: utilisation("dcgan"),
    "start-up": start_up,
    "memory": memory,
    "evaluation": evaluation,
    "quality-dcgan": lambda: time_to_quality("model=dcgan"),
    "quality-fast_mnist": lambda: time_to_quality("experiment=fast_mnist"),
    "quality-bfloat16": quality_of_bfloat16,
}


if __name__ == "__main__":
    facts = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "bfloat16": bfloat16_is_faster("cpu"),
    }
    measure(ROWS, sys.argv[1:], facts, Path("bench.json"))
