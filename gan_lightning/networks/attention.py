import torch
from torch import Tensor, nn


def pixels(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H * W, C), a view of channels-last maps."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


class SelfAttention(nn.Module):
    """Self-attention over the positions of a map (Zhang et al. 2019, SAGAN, arXiv:1805.08318, equations 1 to 3).

    x -> x + gamma v(sum_i beta_ji h(x_i)) with beta_ji = softmax over i of f(x_i) . g(x_j), all maps 1x1
    convolutions. f and g have C / 8 channels; h has C / 2 as in the authors' code (the text says C / 8).
    gamma starts at 0, so that the module starts as the identity.

    Args:
        channels: Number of channels C of the maps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.f = nn.Conv2d(channels, narrow, 1, bias=False)
        self.g = nn.Conv2d(channels, narrow, 1, bias=False)
        self.h = nn.Conv2d(channels, half, 1, bias=False)
        self.v = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def weights(self, maps: Tensor) -> Tensor:
        """beta, (N, H * W, H * W): row j is the attention of position j to every position, and sums to 1."""
        return (pixels(self.g(maps)) @ pixels(self.f(maps)).transpose(1, 2)).softmax(2)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        taken = self.weights(maps) @ pixels(self.h(maps))
        taken = taken.unflatten(1, maps.shape[2:]).permute(0, 3, 1, 2)
        return maps + self.gamma * self.v(taken)
