"""GAN experiments on small images whose results you can trust."""

import sys

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m gan_lightning` would look for modules in the current folder first: a file there, perhaps of a
    # stranger's run, must not replace a library's; `config.stored.import_from_here` lets the user's own be found
    sys.path.pop(0)

from gan_lightning import torchvision_ops

__version__ = "0.4.0"

torchvision_ops.install()
