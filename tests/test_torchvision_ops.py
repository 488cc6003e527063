import subprocess
import sys

import pytest
import torch

from gan_lightning import torchvision_ops


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.slow
def test_torchvision_and_what_the_project_uses_of_it_can_be_imported():
    parts = "torchvision.datasets, torchvision.transforms.v2, torchvision.utils"
    result = python(f"import gan_lightning.torchvision_ops, {parts}")
    assert result.returncode == 0, result.stderr


def test_it_steps_aside_where_it_is_not_needed(monkeypatch):
    """With CUDA, with torchvision imported already, or with operators that load, nothing is declared."""
    with monkeypatch.context() as patch:
        patch.setattr(torch.version, "cuda", "13.0")
        patch.delitem(sys.modules, "torchvision", raising=False)
        assert torchvision_ops.declare_missing_operators() is None
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torchvision", torch)
        assert torchvision_ops.declare_missing_operators() is None
    with monkeypatch.context() as patch:
        patch.setattr(torchvision_ops, "operators_load", lambda: True)
        patch.delitem(sys.modules, "torchvision", raising=False)
        assert torchvision_ops.declare_missing_operators() is None


def test_an_absent_torchvision_is_not_cured(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert torchvision_ops.operators_load()
