"""A network as a list of array operations, which a page can carry out: what `torch.export` sees of one forward pass.

Every operation is a plain dictionary with the names of its inputs, of its output and the shape of that; tensors that do
not depend on the inputs are constants. `engine.js` has a function for each operation, and so has `interpret.py`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from gan_lightning.errors import UserError

Operation = dict[str, Any]

Arguments = dict[str, Any]
"""The arguments of a torch operation by their names, defaults filled in, tensors as the names of values."""


class Program(NamedTuple):
    """What computes a network's output from a batch of one.

    inputs: Names of the inputs: of a generator z (1, latent_dim) and y (1, condition_dim).
    operations: The operations in order; the output of the last is the network's: of a generator an image (1, C, H, W).
    constants: Tensors that operations name.
    """

    inputs: list[str]
    operations: list[Operation]
    constants: dict[str, Tensor]


def trace(network: nn.Module, *inputs: Tensor) -> Program:
    """The program of a network in eval mode, on the CPU.

    Args:
        network: Generator or classifier.
        inputs: Its inputs, in a batch of one; only their shapes matter.

    Raises:
        UserError: A page cannot carry one of its layers.
    """
    try:
        exported = torch.export.export(network, inputs)
    except Exception as error:  # torch has no one error for what it cannot trace
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{type(network).__name__} cannot be written as a page: {reason}; {INSTEAD}") from error
    constants = named_constants(exported)
    operations: list[Operation] = []
    renamed: dict[str, str] = {}
    for node in exported.graph.nodes:
        if node.op == "call_function":
            operations += lower(node, constants, renamed)
    needed = {value for operation in operations for value in operation.values() if isinstance(value, str)}
    names = [str(name) for name in exported.graph_signature.user_inputs]
    return Program(names, operations, {name: value for name, value in constants.items() if name in needed})


INSTEAD = "type format=safetensors for a file that Python reads"


def named_constants(exported: ExportedProgram) -> dict[str, Tensor]:
    """Weights, buffers and other constants by the names that the graph gives them."""
    signature = exported.graph_signature
    keys = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    tensors = {**exported.constants, **exported.state_dict}
    return {name: tensors[key].detach().float() for name, key in keys.items()}


def lower(node: fx.Node, constants: dict[str, Tensor], renamed: dict[str, str]) -> list[Operation]:
    """The operations of a node of the graph: one, or none where nothing is computed.

    Args:
        node: A call of a torch operation.
        constants: Constants so far, to which an operation may add its own.
        renamed: Names of values that are other values under a new name, to which the node may be added.

    Raises:
        UserError: A page has no such operation.
    """
    kind = str(node.target).split(".")[1] if str(node.target).startswith("aten.") else str(node.target)
    if kind == "_assert_tensor_metadata":
        return []
    given = bind(node, renamed)
    if kind in IDENTITIES and not given.get("train"):
        renamed[node.name] = next(iter(given.values()))
        return []
    made = LOWERED[kind](given, constants, node.name) if kind in LOWERED else None
    if made is None:
        raise UserError(f"a page cannot carry {layer_of(node)} ({kind}); {INSTEAD}")
    return [{**made, "out": node.name, "shape": list(node.meta["val"].shape)}]


def bind(node: fx.Node, renamed: dict[str, str]) -> Arguments:
    """The arguments of a node by their names."""
    schema: Any = node.target._schema  # type: ignore[union-attr]
    values = {argument.name: argument.default_value for argument in schema.arguments}
    values.update(zip(values, node.args, strict=False))
    values.update(node.kwargs)
    named = {key: value.name if isinstance(value, fx.Node) else value for key, value in values.items()}
    inputs = node.all_input_nodes
    named["list"] = [renamed.get(each.name, each.name) for each in inputs]
    named["shapes"] = [list(each.meta["val"].shape) for each in inputs]
    return {key: renamed.get(value, value) if isinstance(value, str) else value for key, value in named.items()}


def layer_of(node: fx.Node) -> str:
    """The layer that a node belongs to, in words."""
    *_, (path, kind) = node.meta.get("nn_module_stack", {"": ("", "the network")}).values()
    name = str(kind).rpartition(".")[2]
    return f"the layer {path}, {name}" if path else name


IDENTITIES = ("to", "_to_copy", "contiguous", "clone", "dropout", "detach", "alias", "type_as", "lift_fresh_copy")
"""Operations that leave values as they are."""


# What a page can carry: functions of the arguments, the constants and the node's name; None where it cannot


def unary(op: str, *numbers: str) -> Callable[..., Operation]:
    """An operation on each element, with numbers of its own."""
    return lambda given, constants, name: {
        "op": op, "x": next(iter(given.values())), **{number: given[number] for number in numbers}
    }  # fmt: skip


def binary(op: str) -> Callable[..., Operation | None]:
    """An operation of two arrays, or of an array and a number."""

    def lowered(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation | None:
        if given.get("alpha", 1) != 1 or given.get("rounding_mode") is not None:
            return None
        first, second = given["self"], given["other"]
        if isinstance(second, int | float):
            constants[f"{name}_number"] = torch.tensor(float(second))
            shapes = [*given["shapes"], []]
            return {"op": op, "x": first, "second": f"{name}_number", "shapes": shapes}
        shapes = given["shapes"] if len(given["shapes"]) == 2 else given["shapes"] * 2
        return {"op": op, "x": first, "second": second, "shapes": shapes}

    return lowered


def linear(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation:
    """x W^T + b along the last axis."""
    return {"op": "linear", "x": given["input"], "weight": given["weight"], "bias": given["bias"]}


def convolution(op: str) -> Callable[..., Operation | None]:
    """A convolution, or a transposed one."""

    def lowered(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation | None:
        padding = given["padding"]
        if isinstance(padding, str) or set(given["dilation"]) != {1} or given["weight"] not in constants:
            return None
        return {
            "op": op, "x": given["input"], "weight": given["weight"], "bias": given["bias"],
            "kernel": list(constants[given["weight"]].shape), "stride": pair(given["stride"]), "padding": pair(padding),
            "groups": given["groups"], "from": given["shapes"][0],
        }  # fmt: skip

    return lowered


def pair(numbers: list[int]) -> list[int]:
    """Two numbers, of which one may stand for both."""
    return [numbers[0], numbers[-1]]


def batch_norm(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation | None:
    """A scale and a shift of each channel, by the running statistics."""
    if given["training"] or given["running_mean"] is None:
        return None
    scale = (constants[given["running_var"]] + given["eps"]).rsqrt()
    if given["weight"] is not None:
        scale = scale * constants[given["weight"]]
    shift = -constants[given["running_mean"]] * scale
    if given["bias"] is not None:
        shift = shift + constants[given["bias"]]
    constants[f"{name}_scale"], constants[f"{name}_shift"] = scale, shift
    return {"op": "affine", "x": given["input"], "weight": f"{name}_scale", "bias": f"{name}_shift"}


def group_norm(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation:
    """Mean 0 and variance 1 in each group of channels, then a scale and a shift of each channel."""
    return {
        "op": "group_norm", "x": given["input"], "weight": given["weight"], "bias": given["bias"],
        "groups": given["num_groups"], "eps": given["eps"],
    }  # fmt: skip


def layer_norm(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation | None:
    """The same for vectors (1, F): one group, and each coordinate is a channel."""
    if len(given["shapes"][0]) != 2:
        return None
    return group_norm({**given, "num_groups": 1}, constants, name)


def reshape(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation:
    """The same numbers in the same order, in another shape."""
    return {"op": "reshape", "x": next(iter(given.values()))}


def permute(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation:
    """The axes in another order."""
    (shape,) = given["shapes"]
    return {"op": "permute", "x": given["self"], "axes": [axis % len(shape) for axis in given["dims"]], "from": shape}


def transpose(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation:
    """Two axes swapped."""
    axes = list(range(len(given["shapes"][0])))
    first, second = given["dim0"], given["dim1"]
    axes[first], axes[second] = axes[second], axes[first]
    return permute({**given, "dims": axes}, constants, name)


def matmul(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation:
    """Matrix products; leading axes of 1 are repeated."""
    shapes = given["shapes"] if len(given["shapes"]) == 2 else given["shapes"] * 2
    return {"op": "matmul", "x": given["self"], "second": given["other"], "shapes": shapes}


def softmax(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation | None:
    """Softmax along the last axis."""
    axes = len(given["shapes"][0])
    return {"op": "softmax", "x": given["self"]} if given["dim"] % axes == axes - 1 else None


def elu(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation | None:
    """ELU whose negative part goes down to -1."""
    plain = given["alpha"] == given["scale"] == given["input_scale"] == 1
    return {"op": "elu", "x": given["self"]} if plain else None


def max_pool(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation | None:
    """The largest value in each square of pixels; the squares lie side by side."""
    size = pair(given["kernel_size"])
    plain = set(given["padding"]) == {0} and set(given["dilation"]) == {1} and not given["ceil_mode"]
    if not plain or pair(given["stride"] or size) != size:
        return None
    return {"op": "max_pool2d", "x": given["self"], "size": size, "from": given["shapes"][0]}


def mean_pool(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation | None:
    """The mean of each map."""
    return {"op": "mean", "x": given["self"]} if set(given["output_size"]) == {1} else None


def upsample(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation:
    """Nearest-neighbour up-sampling."""
    return {"op": "upsample", "x": given["input"], "from": given["shapes"][0]}


def concatenate(given: Arguments, constants: dict[str, Tensor], name: str) -> Operation | None:
    """Vectors (1, F) or maps, one after the other: in a batch of one, their numbers in order."""
    return {"op": "cat", "list": given["list"]} if given["dim"] == 1 else None


RESHAPES = ("view", "reshape", "unflatten", "flatten", "unsqueeze", "squeeze", "_unsafe_view")

LOWERED: dict[str, Callable[..., Operation | None]] = {
    "linear": linear,
    "conv2d": convolution("conv2d"),
    "conv_transpose2d": convolution("conv_transpose2d"),
    "batch_norm": batch_norm,
    "group_norm": group_norm,
    "layer_norm": layer_norm,
    "relu": unary("relu"),
    "relu_": unary("relu"),
    "leaky_relu": unary("leaky_relu", "negative_slope"),
    "leaky_relu_": unary("leaky_relu", "negative_slope"),
    "elu": elu,
    "tanh": unary("tanh"),
    "sigmoid": unary("sigmoid"),
    "silu": unary("silu"),
    "add": binary("add"),
    "sub": binary("sub"),
    "mul": binary("mul"),
    "div": binary("div"),
    "permute": permute,
    "transpose": transpose,
    "matmul": matmul,
    "softmax": softmax,
    "upsample_nearest2d": upsample,
    "max_pool2d": max_pool,
    "adaptive_avg_pool2d": mean_pool,
    "cat": concatenate,
    **dict.fromkeys(RESHAPES, reshape),
}
"""What makes an operation of a page's from each of torch's."""
