import gan_lightning  # noqa: F401  (makes torchvision, and with it pytorch_lightning, importable beside a CPU-only torch)
