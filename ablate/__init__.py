"""Ablation studies that can be trusted: declared, resumable, and reported as a paper's tables.

    import ablate

    matrix = ablate.expand("studies/lpred_symmetry.toml", profile="quick")
    ablate.run(matrix)
    with ablate.open_results() as results:
        print(results.table("lpred_symmetry"))

Each name is loaded when it is first used; none of them loads torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.front_door import (
        Better,
        Choice,
        Method,
        Metric,
        Part,
        Range,
        Results,
        expand,
        open_results,
        read_study,
        run,
    )

__version__ = "0.1.0"

__all__ = [
    "Better",
    "Choice",
    "Method",
    "Metric",
    "Part",
    "Range",
    "Results",
    "__version__",
    "expand",
    "open_results",
    "read_study",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("ablate.front_door"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
