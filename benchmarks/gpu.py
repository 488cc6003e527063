"""The speed of gan_lightning on one GPU, in one call of under ten minutes: a table, and bench-gpu.json.

python -m benchmarks.gpu [ROW ...]
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.bench import loop, machine_peak, time_to_quality
from benchmarks.timing import Row, measure

GPU = ("accelerator=gpu",)


def peak() -> Row:
    """TFLOP/s of a large matrix product and of a 3x3 convolution, in bfloat16 and in float32."""
    found: Row = {}
    for kind in (torch.bfloat16, torch.float32):
        product, convolution = machine_peak(kind, torch.device("cuda"), size=8192, batch=2048)
        found |= {f"matrix product, {kind}": round(product / 1e12), f"convolution, {kind}": round(convolution / 1e12)}
    return found


def compiled() -> Row:
    """Our loop with compiled networks against the bare eager one; the first pair, which compiles, is not counted."""
    return loop("dcgan", 64, chunk=200, words=(*GPU, "model.compile=default"))


ROWS: dict[str, Callable[[], Row]] = {
    "loop-dcgan-64": lambda: loop("dcgan", 64, chunk=200, words=GPU),
    "loop-dcgan-256": lambda: loop("dcgan", 256, chunk=100, words=GPU),
    "loop-mlp-64": lambda: loop("mlp", 64, chunk=200, words=GPU),
    "loop-wgan_gp-64": lambda: loop("wgan_gp", 64, chunk=100, words=GPU),
    "compiled-dcgan-64": compiled,
    "best-against-float32": lambda: loop("dcgan", 64, chunk=200, plain=True, words=GPU),
    "peak": peak,
    "quality-fast_mnist": lambda: time_to_quality("experiment=fast_mnist", *GPU),
}


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit(f"torch {torch.__version__} sees no GPU; `python -m benchmarks.bench` measures the processor")
    facts = {"torch": torch.__version__, "gpu": torch.cuda.get_device_name()}
    measure(ROWS, sys.argv[1:], facts, Path("bench-gpu.json"))
