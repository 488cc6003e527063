"""Scores of the classes that a classifier assigns to samples: pure functions of class probabilities or classes."""

from typing import NamedTuple

import torch
from torch import Tensor


def classifier_score(probabilities: Tensor) -> float:
    """exp of the mean KL(p(y|x) || p(y)): the Inception Score (Salimans et al. 2016, arXiv:1606.03498, section 4).

    Any classifier may provide the probabilities. The score lies between 1 (all samples have equal probabilities) and
    the number of classes (every sample is assigned to one class with certainty, and classes are equally frequent).

    Args:
        probabilities: Class probabilities of each sample, (n, K); each row sums to 1.
    """
    probabilities = probabilities.double()
    marginal = probabilities.mean(0)
    entropy = torch.special.entr(probabilities).sum(1).mean()
    return (torch.special.entr(marginal).sum() - entropy).exp().item()


class Modes(NamedTuple):
    """Which classes a set of samples contains.

    Attributes:
        shares: Share of each class, (K,).
        missing: Number of classes of the target distribution to which no sample belongs.
        kl: KL(shares || target), in nats; about (K - 1) / 2n above 0 even for samples of the target itself.
    """

    shares: Tensor
    missing: int
    kl: float


def mode_coverage(classes: Tensor, target: Tensor) -> Modes:
    """Compare the histogram of classes with a target distribution (Che et al. 2017, arXiv:1612.02136, section 4).

    Args:
        classes: Class of each sample, int (n,), from 0 to K - 1.
        target: Share of each class in the target distribution, (K,); classes of share 0 are left out of both numbers.
    """
    shares = torch.bincount(classes, minlength=len(target)).double() / len(classes)
    expected = target > 0
    kl = torch.special.xlogy(shares, shares / target.double())[expected].sum()
    return Modes(shares, int((shares[expected] == 0).sum()), kl.item())
