"""What commands share: where results are looked for."""

from __future__ import annotations

import os

import pytest

from ablate.cli.common import results_folder
from ablate.errors import InputError


def test_a_results_path_that_is_no_utf_8_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError) as caught:
        results_folder(os.fsdecode(b"caf\xe9"))
    (problem,) = caught.value.problems
    assert problem.where == "--results"
    assert "UTF-8" in problem.message
