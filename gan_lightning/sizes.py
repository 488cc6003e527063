"""Heights and widths of images that every network can take."""

from gan_lightning.errors import UserError

Size = tuple[int, int]
"""Height and width in pixels."""

SMALLEST_MAPS = range(4, 8)
"""Sides that networks halve an image's down to, for a square one."""

SIDES = tuple(sorted(side << times for side in SMALLEST_MAPS for times in range(6) if 16 <= side << times <= 128))
"""Heights and widths that can be halved down to 4 to 7 pixels, from 16 to 128."""


def nearest_size(size: Size) -> Size:
    """The size of sides in `SIDES` that is nearest to any other; of two equally near sides, the smaller."""
    height, width = (min(SIDES, key=lambda allowed: abs(allowed - side)) for side in size)
    return height, width


def as_typed(size: Size) -> str:
    """A size as the option data.size takes it: 64 for a square, [48,64] for a height of 48 and a width of 64."""
    height, width = size
    return str(height) if height == width else f"[{height},{width}]"


def read_size(size: int | list[int]) -> Size:
    """Height and width from what the option data.size holds.

    Raises:
        UserError: The size is not one that the networks can take; names the nearest that is.
    """
    sides = [size, size] if isinstance(size, int) else size
    if len(sides) != 2:
        raise UserError(f"data.size={size} is not allowed: type one number for squares, or data.size=[HEIGHT,WIDTH]")
    height, width = sides
    if nearest_size((height, width)) != (height, width):
        raise UserError(
            f"data.size={as_typed((height, width))} is not allowed: each side may be {allowed_sides()} pixels, which "
            f"networks can halve down to 4 to 7; type data.size={as_typed(nearest_size((height, width)))}"
        )
    return height, width


def allowed_sides() -> str:
    """The sides in words."""
    *others, last = SIDES
    return f"{', '.join(map(str, others))} or {last}"
