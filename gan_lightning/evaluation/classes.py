"""Scores that ask which class the judge sees: pure functions of class probabilities or classes."""

from typing import NamedTuple

import torch
from torch import Tensor


def classifier_score(probabilities: Tensor) -> float:
    """exp of the mean KL(p(y|x) || p(y)): the Inception Score (Salimans et al. 2016, arXiv:1606.03498), any classifier.

    Between 1 (all samples alike, or none clear) and the number of classes (each sample clear, classes equally many).

    Args:
        probabilities: (n, K), each row a distribution.
    """
    probabilities = probabilities.double()
    marginal = probabilities.mean(0)
    entropy = torch.special.entr(probabilities).sum(1).mean()
    return (torch.special.entr(marginal).sum() - entropy).exp().item()


class Modes(NamedTuple):
    """Which classes a set holds.

    shares: of each class, (K,).
    missing: number of classes, among those aimed at, that no sample belongs to.
    kl: KL(shares || target), natural logarithm; about (K - 1) / 2n above 0 even for the target's own samples.
    """

    shares: Tensor
    missing: int
    kl: float


def mode_coverage(classes: Tensor, target: Tensor) -> Modes:
    """Compare a histogram of classes with the one aimed at (Che et al. 2017, arXiv:1612.02136, section 4).

    Args:
        classes: of each sample, int (n,).
        target: the share of each class, (K,); a class of share 0 is neither aimed at nor counted.
    """
    shares = torch.bincount(classes, minlength=len(target)).double() / len(classes)
    aimed = target > 0
    kl = torch.special.xlogy(shares, shares / target.double())[aimed].sum()
    return Modes(shares, int((shares[aimed] == 0).sum()), kl.item())
