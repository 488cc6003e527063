"""A page's program carried out by PyTorch, operation by operation: what the page computes, and a check of the trace."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.export.program import Operation, Program

Get = Callable[[str], Tensor | None]
"""The value of a name; None for None, which stands for a bias that a layer does not have."""


def interpret(program: Program, *inputs: Tensor) -> Tensor:
    """The output of a program.

    Args:
        program: The program.
        inputs: Its inputs, in a batch of one, of the type of its constants.
    """
    values = {**program.constants, **dict(zip(program.inputs, inputs, strict=True))}
    value = inputs[0]
    for operation in program.operations:
        value = OPERATIONS[operation["op"]](operation, values.get).reshape(operation["shape"])
        values[operation["out"]] = value
    return value


def of_x(function: Callable[..., Tensor], *options: str) -> Callable[[Operation, Get], Tensor]:
    """A function of the input and of options that the operation has."""
    return lambda op, get: function(get(op["x"]), *(op[option] for option in options))


def of_both(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Operation, Get], Tensor]:
    """A function of two inputs."""
    return lambda op, get: function(get(op["x"]), get(op["second"]))  # type: ignore[arg-type]


def of_weights(function: Callable[..., Tensor], *options: str) -> Callable[[Operation, Get], Tensor]:
    """A function of the input, the weight, the bias and options that the operation has."""
    return lambda op, get: function(
        get(op["x"]), weight=get(op["weight"]), bias=get(op["bias"]), **{option: op[option] for option in options}
    )


def conv_transpose(op: Operation, get: Get) -> Tensor:
    """A transposed convolution, padded where the shape of its output asks for it."""
    x, stride, padding = get(op["x"]), op["stride"], op["padding"]
    least = [
        (side - 1) * step - 2 * pad + kernel
        for side, step, pad, kernel in zip(op["from"][2:], stride, padding, op["kernel"][2:], strict=True)
    ]
    more = [side - small for side, small in zip(op["shape"][2:], least, strict=True)]
    return F.conv_transpose2d(x, get(op["weight"]), get(op["bias"]), stride, padding, more, op["groups"])  # type: ignore[arg-type]


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A scale and a shift of each channel."""
    shape = (1, -1, *[1] * (x.ndim - 2))
    return x * weight.view(shape) + bias.view(shape)


def group_norm(op: Operation, get: Get) -> Tensor:
    """Mean 0 and variance 1 in each group, then a scale and a shift of each channel."""
    return F.group_norm(get(op["x"]), op["groups"], get(op["weight"]), get(op["bias"]), op["eps"])  # type: ignore[arg-type]


OPERATIONS: dict[str, Callable[[Operation, Get], Tensor]] = {
    "linear": of_weights(F.linear),
    "conv2d": of_weights(F.conv2d, "stride", "padding", "groups"),
    "conv_transpose2d": conv_transpose,
    "affine": of_weights(affine),
    "group_norm": group_norm,
    "permute": of_x(torch.permute, "axes"),
    "matmul": of_both(torch.matmul),
    "softmax": of_x(lambda x: x.softmax(-1)),
    "upsample": lambda op, get: F.interpolate(get(op["x"]), op["shape"][2:]),  # type: ignore[arg-type]
    "max_pool2d": of_x(F.max_pool2d, "size"),
    "mean": of_x(lambda x: x.mean((2, 3))),
    "cat": lambda op, get: torch.cat([get(name) for name in op["list"]], 1),  # type: ignore[misc]
    "reshape": of_x(lambda x: x),
    "relu": of_x(torch.relu),
    "leaky_relu": of_x(F.leaky_relu, "negative_slope"),
    "elu": of_x(F.elu),
    "silu": of_x(F.silu),
    "tanh": of_x(torch.tanh),
    "sigmoid": of_x(torch.sigmoid),
    "add": of_both(torch.add),
    "sub": of_both(torch.sub),
    "mul": of_both(torch.mul),
    "div": of_both(torch.div),
}
"""What each operation of a page's computes."""
