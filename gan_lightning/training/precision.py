"""The number format training computes in, and how little Lightning does between its steps."""

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.plugins.precision import MixedPrecision, Precision
from torch import Tensor
from torch.optim import Optimizer

CPUINFO = Path("/proc/cpuinfo")  # Linux

HOOKS = ("on_before_backward", "on_after_backward", "on_before_optimizer_step")


def bfloat16_is_faster(accelerator: str) -> bool:
    """Whether the processor that will train is faster in bfloat16 than in float32, by its kind alone.

    Having the instructions is not enough: with AMX these small networks train 1.9 times as fast, with AVX512-BF16 alone
    1.5 times as fast on AMD's Zen 4, but on Intel's processors float32 is the faster one by a third.
    """
    if on_gpu(accelerator):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    if accelerator in ("auto", "cpu"):
        has = torch.cpu.get_capabilities()
        return bool(has.get("amx_bf16") or has.get("bf16") or (has.get("avx512_bf16") and not made_by_intel()))
    return False


def made_by_intel() -> bool:
    """Whether Linux, the platform or the processor's own name says that it is Intel's."""
    names = [platform.processor(), str(torch.cpu.get_capabilities().get("cpu_name", ""))]
    if CPUINFO.is_file():
        names += [line for line in CPUINFO.read_text().splitlines() if line.startswith("vendor_id")]
    return any("intel" in name.lower() for name in names)


def on_gpu(accelerator: str) -> bool:
    """Whether Lightning will choose a CUDA device."""
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())


def choose_precision(requested: str | int, accelerator: str) -> tuple[Precision, str]:
    """Lightning's precision, and why it was chosen."""
    faster = bfloat16_is_faster(accelerator)
    chosen: Precision
    if requested == "bf16" or (requested == "auto" and faster):
        chosen, words = BFloat16("cuda" if on_gpu(accelerator) else "cpu"), "bfloat16 where safe"
    else:
        chosen, words = Float32(), "float32"
    why = "bfloat16 is faster" if faster else "bfloat16 is no faster"
    return chosen, words if requested != "auto" else f"{words} (precision=auto: {why} on this processor)"


def has_custom_hooks(trainer: Trainer) -> bool:
    """Whether a callback or the module has written any of the hooks around a backward pass or an optimizer's step."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    written: list[tuple[type, type]] = [(type(callback), Callback) for callback in callbacks]
    written.append((type(trainer.lightning_module), LightningModule))
    return any(getattr(own, hook) is not getattr(base, hook) for own, base in written for hook in HOOKS)


class HookSkippingPrecision(Precision):
    """Leaves out the hooks around each backward pass and each optimizer's step when nobody has written one.

    Lightning asks each callback for each hook: with two optimizers, for small networks, a tenth of the time.
    """

    calls_hooks: bool | None = None

    def must_call_hooks(self, module: LightningModule) -> bool:
        """`has_custom_hooks`, found out once."""
        if self.calls_hooks is None:
            self.calls_hooks = has_custom_hooks(module.trainer)
        return self.calls_hooks

    def pre_backward(self, tensor: Tensor, module: LightningModule) -> Tensor:  # type: ignore[override]
        """Before a backward pass."""
        return super().pre_backward(tensor, module) if self.must_call_hooks(module) else tensor

    def post_backward(self, tensor: Tensor, module: LightningModule) -> Tensor:  # type: ignore[override]
        """After a backward pass."""
        return super().post_backward(tensor, module) if self.must_call_hooks(module) else tensor.detach()

    def optimizer_step(  # type: ignore[override]
        self, optimizer: Optimizer, model: LightningModule, closure: Callable[[], Any], **kwargs: Any
    ) -> Any:
        """One optimizer's step; manual optimization has an empty closure."""
        if self.must_call_hooks(model):
            return super().optimizer_step(optimizer, model, closure, **kwargs)
        return optimizer.step(**kwargs)


class Float32(HookSkippingPrecision):
    """Everything in float32."""


class BFloat16(HookSkippingPrecision, MixedPrecision):  # type: ignore[misc]
    """Matrix products and convolutions in bfloat16, what must not lose digits in float32."""

    def __init__(self, device: str) -> None:
        super().__init__("bf16-mixed", device)
