"""Data sets of small images: one `ImageData` subclass each, batches cut from memory."""

from gan_lightning.data.image_data import ImageData, Splits
from gan_lightning.data.image_folder import ImageFolder
from gan_lightning.data.loader import Batch, BatchLoader
from gan_lightning.data.mnist import EMNIST, KMNIST, MNIST, QMNIST, FashionMNIST
from gan_lightning.data.mnist_5k import MNIST5k
from gan_lightning.data.ring import ModeCounts, Ring
from gan_lightning.data.stacked_mnist import StackedMNIST

__all__ = [
    "EMNIST",
    "KMNIST",
    "MNIST",
    "QMNIST",
    "Batch",
    "BatchLoader",
    "FashionMNIST",
    "ImageData",
    "ImageFolder",
    "MNIST5k",
    "ModeCounts",
    "Ring",
    "Splits",
    "StackedMNIST",
]
