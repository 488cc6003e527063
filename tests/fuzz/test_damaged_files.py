"""No damaged file ends in a traceback. `make fuzz` reads 50,000."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.files import read_damaged
from tests.fuzz.harness import guarded, outcome
from tests.fuzz.test_command_lines import QUICK

pytestmark = pytest.mark.slow

FOUND = {  # contents that ended in a traceback once, by the kind of file
    "classifier.json": [b"true", b"[]", b"1", b"9" * 5000],
    "PNG": [b"", b"\x89PNG\r\n\x1a\n", b"\0" * 100],
    "plain.npz": [b"", b"PK\x03\x04", b"\0" * 100],
    "cached train-images-idx3-ubyte": [b"", b"\0\0\x08\x03", b"\0\0\x08\x03" + b"\x7f\xff\xff\xff" * 3],
}


@pytest.mark.parametrize("kind", FOUND)
def test_what_ended_in_a_traceback_once_is_a_message(cases, own_cache, monkeypatch, kind):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(own_cache))
    (case,) = [case for case in cases if case.kind == kind]
    whole = case.file.read_bytes()
    for content in FOUND[kind]:
        case.file.write_bytes(content)
        with guarded():
            trouble = outcome(case.read)
        case.file.write_bytes(whole)
        assert trouble is None


@settings(max_examples=200, **QUICK)
@given(st.randoms(use_true_random=False))
def test_random_damage_ends_in_messages(cases, own_cache, random: Random):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_LIGHTNING_CACHE", str(own_cache))
        kind, trouble = read_damaged(random, cases)
    assert trouble is None, kind
