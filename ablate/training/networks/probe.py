"""`python -m ablate.training.networks.probe`: builds a user's networks and says how wide they are.

Reads one order from its standard input and answers with one line: name -> {"width": …}, or
{"error": what is wrong}. A process of its own, so that whoever plans a study loads no torch.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from ablate.errors import InputError
from ablate.methods.method import NotFoundError
from ablate.training.networks import build
from ablate.training.networks.adapted import check, own_network


def probe(order: dict[str, Any], name: str) -> dict[str, Any]:
    """Build one network of an order and check it on images of the order's shape."""
    shape = order["classes"], order["channels"]
    try:
        if ":" in order["function"]:  # a package's "module:attribute", installed under this name
            network = build(name, *shape)
        else:
            network = own_network(Path(order["path"]), order["function"], name, *shape)
        check(network, name, order["channels"], order["size"])
        if network.classify(network.features(_nothing(order))).shape[1] != order["classes"]:
            return {"error": f"does not give {order['classes']} logits"}
    except InputError as error:
        return {"error": error.problems[0].message}
    except NotFoundError as error:
        return {"error": error.message}
    except (Exception, SystemExit) as error:  # whatever a user's code may raise
        return {"error": f"{type(error).__name__}: {error}"}
    return {"width": network.feature_dim}


def _nothing(order: dict[str, Any]) -> Any:
    import torch

    return torch.zeros(2, order["channels"], order["size"], order["size"])


def main() -> None:
    """Answer one order."""
    order = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # what a user's code prints is no answer
        answer = {name: probe(order, name) for name in order["names"]}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
