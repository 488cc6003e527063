from pathlib import Path

from PIL import Image

from gan_lightning.report.comparison import compare, distinct
from tests.helpers import run


def test_jobs_are_named_by_the_words_they_do_not_share():
    jobs = {Path("a"): ["model=gan", "seed=0"], Path("b"): ["model=gan", "seed=1"]}
    assert distinct(jobs) == {Path("a"): "seed=0", Path("b"): "seed=1"}
    assert distinct({Path("a"): ["model=gan"]}) == {Path("a"): "a"}  # nothing to tell it from


def test_a_sweep_is_compared_in_a_table_and_a_picture(tmp_path):
    scored = ("callbacks.evaluation.every_n_epochs=1", "callbacks.evaluation.n=200", "data.batch_size=2000")
    jobs = {}
    for loss, more in {"minimax": scored, "hinge": ()}.items():
        words = ("network=mlp", f"loss={loss}", *more, "max_generator_steps=2")
        jobs[run(tmp_path / loss, *words).path] = ["network=mlp", f"loss={loss}"]
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "status.json").write_text('{"state": "failed", "error": "it broke\\n  in | two"}')
    table, picture = compare(jobs | {broken: ["network=mlp", "loss=x"]}, tmp_path)
    heading, _, minimax, hinge, failed = table.read_text().splitlines()
    assert heading.startswith("| | state | generator steps | minutes | frechet |")
    assert minimax.startswith("| `loss=minimax` | finished | 2 |") and " | - | " not in minimax
    assert hinge.startswith("| `loss=hinge` | finished | 2 |") and "| - | - | - | - | [hinge](hinge) |" in hinge
    assert r"| `loss=x` | failed: it broke in \| two | 0 |" in failed
    assert Image.open(picture).size[0] > Image.open(picture).size[1]  # two grids beside each other, none for `broken`
    assert compare({broken: ["loss=x"]}, tmp_path) == [table]
