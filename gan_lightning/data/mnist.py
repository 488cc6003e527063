"""MNIST and the data sets made to replace it: gray 28x28 images in the same four files."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

from torchvision import datasets

from gan_lightning.data.loader import Batch
from gan_lightning.data.sources import DEBIAN_PACKAGE, Source, unpack_debian
from gan_lightning.data.torchvision_data import IDX_FILES, TorchvisionData

DIGITS = [str(digit) for digit in range(10)]


class MNIST(TorchvisionData):
    """MNIST: 70,000 handwritten digits (LeCun, Bottou, Bengio & Haffner 1998)."""

    base_name = "mnist"
    reference = "mnist_cnn"
    title = "MNIST"
    torchvision_class = datasets.MNIST
    class_names = DIGITS
    checksums = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }


class FashionMNIST(TorchvisionData):
    """Fashion-MNIST: 70,000 pictures of clothes, ten kinds (Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747)."""

    base_name = "fashion_mnist"
    reference = "fashion_mnist_cnn"
    mirrored = True
    title = "Fashion-MNIST"
    torchvision_class = datasets.FashionMNIST
    class_names = datasets.FashionMNIST.classes
    checksums = {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    }

    def sources(self) -> list[tuple[str, Source]]:
        """Debian packages this data set: a second source beside the one mirror that torchvision knows."""
        if self.dir is not None:
            return super().sources()
        return [*super().sources(), (f"Debian's package {DEBIAN_PACKAGE}", partial(unpack_debian, self.files))]


class KMNIST(TorchvisionData):
    """Kuzushiji-MNIST: 70,000 characters of old Japanese cursive, 10 kinds (Clanuwat et al. 2018, arXiv:1812.01718)."""

    base_name = "kmnist"
    title = "Kuzushiji-MNIST"
    torchvision_class = datasets.KMNIST
    class_names = datasets.KMNIST.classes


class QMNIST(TorchvisionData):
    """QMNIST: MNIST rebuilt from its sources, with all 60,000 test digits (Yadav & Bottou 2019, arXiv:1905.10498)."""

    base_name = "qmnist"
    title = "QMNIST"
    torchvision_class = datasets.QMNIST
    class_names = DIGITS
    files = tuple(
        f"qmnist-{part}-{kind}" for part in ("train", "test") for kind in ("images-idx3-ubyte", "labels-idx2-int")
    )

    @classmethod
    def published(cls) -> list[tuple[str, str]]:
        """Those of the training and test digits; the third part of the data set is all of NIST's."""
        return [(Path(url).name, md5) for part in ("train", "test") for url, md5 in datasets.QMNIST.resources[part]]

    def read(self, train: bool) -> Batch:
        """The first of eight labels is the class; the others say who wrote the digit."""
        images, labels = super().read(train)
        return Batch(images, labels[:, 0].contiguous())


class EMNIST(TorchvisionData):
    """EMNIST: handwritten letters and digits from the same source as MNIST (Cohen et al. 2017, arXiv:1702.05373).

    Args:
        split: Which images: `letters` (145,600 of 26 classes, upper and lower case together), `balanced` (131,600 of
            47 classes), `digits` (280,000), `mnist` (70,000 digits), `byclass` (814,255 of 62 classes) or `bymerge`
            (the same in 47 classes: cases that look alike are one).
        options: Options that every data set of torchvision's has: `dir`, `size`, `batch_size` ...
    """

    title = "EMNIST"
    torchvision_class = datasets.EMNIST

    def __init__(
        self,
        split: Literal["letters", "balanced", "digits", "mnist", "byclass", "bymerge"] = "letters",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.split = split
        self.base_name = f"emnist_{split}"
        self.files = tuple(f"emnist-{split}-{name.replace('t10k', 'test')}" for name in IDX_FILES)

    @property
    def class_names(self) -> list[str]:
        """torchvision's, without the one that has no images: the letters are counted from 1."""
        return [name for name in datasets.EMNIST.classes_split_dict[self.split] if name != "N/A"]

    @classmethod
    def published(cls) -> list[tuple[str, str]]:
        """One, of all splits."""
        return [(Path(datasets.EMNIST.url).name, datasets.EMNIST.md5)]

    def open(self, root: Path, train: bool, download: bool = False) -> datasets.MNIST:
        """torchvision's data set of this split."""
        return datasets.EMNIST(root, self.split, train=train, download=download)

    def read(self, train: bool) -> Batch:
        """Upright, as the files are not: they hold each image column by column. Labels count from 0."""
        images, labels = super().read(train)
        return Batch(images.mT.contiguous(), labels - int(self.split == "letters"))
