"""Carry out one order on a node of a cluster: `python -m ablate.execute.worker.batch ORDER_FILE`.

The order names a run directory and nothing that a stranger could run: the program is the one that
the job's own config names, and the worker refuses other code than the job's id says.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ablate.errors import StoreError
from ablate.execute.worker.main import main
from ablate.execute.worker.order import Order
from ablate.store.rundir import RunDirectory

EXIT_NO_ORDER = 66  #: EX_NOINPUT


def run(path: Path) -> None:
    """Run the worker for an order file; ends the process."""
    try:
        order = Order.from_json(path.read_text(encoding="utf-8"))
        if order.run.resolve() != path.parent.resolve():
            raise ValueError(f"it belongs to {order.run}")
        RunDirectory(order.run)
    except (OSError, ValueError, KeyError, TypeError, StoreError) as error:
        sys.stderr.write(f"{path}: no order that can be carried out: {error}\n")
        sys.exit(EXIT_NO_ORDER)
    os.chdir(order.run)
    main(order)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
