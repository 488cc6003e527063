import importlib.util
import subprocess
import sys

import pytest
import torch
import torchvision  # noqa: F401  (the tests below say what happens with it and without it)

from gan_lightning import torchvision_ops


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.slow
def test_torchvision_and_what_the_project_uses_of_it_can_be_imported():
    parts = "torchvision.datasets, torchvision.transforms.v2, torchvision.utils, pytorch_lightning"
    result = python(f"import gan_lightning, {parts}")
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_importing_the_package_imports_neither_torch_nor_torchvision():
    result = python("import gan_lightning, sys; print({'torch', 'torchvision'} & sys.modules.keys())")
    assert result.stdout == "set()\n", result.stderr


def test_the_operators_are_declared_once_on_the_first_search_for_torchvision(monkeypatch):
    """The hook finds no module itself: whoever looks for torchvision goes on to the finders that do."""
    calls = []
    monkeypatch.setattr(torchvision_ops, "declare_missing_operators", lambda: calls.append("declared"))
    hook = torchvision_ops.TorchvisionHook()
    monkeypatch.setattr(sys, "meta_path", [hook, *sys.meta_path])
    assert hook.find_spec("torchvision.datasets") is hook.find_spec("json") is None
    assert calls == [] and hook in sys.meta_path
    assert importlib.util.find_spec("torchvision_of_another_name") is None and calls == []
    assert hook.find_spec("torchvision") is None and calls == ["declared"] and hook not in sys.meta_path
    assert hook.find_spec("torchvision") is None and calls == ["declared"]


def test_the_hook_is_installed_once_and_not_beside_an_imported_torchvision(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [])
    torchvision_ops.install()
    assert sys.meta_path == []  # these tests have imported torchvision already
    monkeypatch.delitem(sys.modules, "torchvision")
    torchvision_ops.install()
    torchvision_ops.install()
    assert sys.meta_path == [torchvision_ops.HOOK]


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
