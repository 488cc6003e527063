"""The number format training computes in, and how little Lightning does between its steps."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lightning import torchvision_ops  # noqa: F401  (before pytorch_lightning)

# isort: split
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.plugins.precision import MixedPrecision, Precision

HOOKS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")


def native_bfloat16(accelerator: str) -> bool:
    """Whether the processor that will train computes bfloat16 in hardware."""
    if on_gpu(accelerator):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if accelerator in ("auto", "cpu"):
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))
    return False


def on_gpu(accelerator: str) -> bool:
    """Whether Lightning will choose a CUDA device."""
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())


def choose_precision(wish: str | int, accelerator: str) -> tuple[Precision, str]:
    """Lightning's precision, and why it was chosen."""
    native = native_bfloat16(accelerator)
    chosen: Precision
    if wish == "bf16" or (wish == "auto" and native):
        chosen, words = BFloat16("cuda" if on_gpu(accelerator) else "cpu"), "bfloat16 where safe"
    else:
        chosen, words = Float32(), "float32"
    does = "computes" if native else "does not compute"
    return chosen, words if wish != "auto" else f"{words} (precision=auto: this processor {does} bfloat16 natively)"


def is_heard(trainer: Trainer) -> bool:
    """Whether a callback or the module has written any of the hooks around a backward pass or an optimizer's step."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    written: list[tuple[type, type]] = [(type(callback), Callback) for callback in callbacks]
    written.append((type(trainer.lightning_module), LightningModule))
    return any(getattr(own, hook) is not getattr(base, hook) for own, base in written for hook in HOOKS)


class Sparing(Precision):
    """Leaves out the hooks around each backward pass and each optimizer's step when nobody has written one.

    Lightning asks each callback for each hook: with two players, for small networks, a tenth of the time.
    """

    heard: bool | None = None

    def hears(self, module: LightningModule) -> bool:
        """`is_heard`, found out once."""
        if self.heard is None:
            self.heard = is_heard(module.trainer)
        return self.heard

    def pre_backward(self, tensor: Tensor, module: LightningModule) -> Tensor:  # type: ignore[override]
        """Before a player's backward pass."""
        return super().pre_backward(tensor, module) if self.hears(module) else tensor

    def post_backward(self, tensor: Tensor, module: LightningModule) -> Tensor:  # type: ignore[override]
        """After it."""
        return super().post_backward(tensor, module) if self.hears(module) else tensor.detach()

    def optimizer_step(  # type: ignore[override]
        self, optimizer: Optimizer, model: LightningModule, closure: Callable[[], Any], **kwargs: Any
    ) -> Any:
        """A player's step; manual optimization has an empty closure."""
        if self.hears(model):
            return super().optimizer_step(optimizer, model, closure, **kwargs)
        return optimizer.step(**kwargs)


class Float32(Sparing):
    """Everything in float32."""


class BFloat16(Sparing, MixedPrecision):  # type: ignore[misc]
    """Matrix products and convolutions in bfloat16, what must not lose digits in float32."""

    def __init__(self, device: str) -> None:
        super().__init__("bf16-mixed", device)
