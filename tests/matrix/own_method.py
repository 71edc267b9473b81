"""A method of a user's own, as small as can be: no torch, no networks, a program in this file.

A study beside it says `method = "own_method.py:WALK"`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

from ablate.methods.method import Conflict, Method
from ablate.methods.metrics import Better, Metric
from ablate.methods.parts import Choice, Part, Range
from ablate.methods.session import JobConfig, Outcome, Position, Session


def too_far(job: JobConfig) -> Iterable[Conflict]:
    """A walk may not be longer than its world."""
    if int(job.settings["steps"]) * float(job.settings["stride"]) > 1000:
        yield Conflict("steps", "the walk leaves its world", "steps times stride below 1000")


WALK = Method(
    name="walk",
    title="Random walk",
    program="walk",  # of this file, since no module is named
    parts=(
        Part("steps", "length of the walk", "n", 100, Range(1, whole=True), off=1),
        Part("stride", "length of a step", "s", 1, Range(0, open_low=True)),
        Part("wind", "wind", "wind", "none", Choice(("none", "east")), off="none", on="east"),
    ),
    metrics=(Metric("top1", label="Place", better=Better.HIGHER),),
    roles=(),  # a study of it needs no pairs
    uses_data=False,
    conflicts=too_far,
)


def walk(session: Session) -> Outcome:
    """Draw as a function of seed and step, so that a resumed walk ends where it would have."""
    settings, seed = session.config.settings, session.config.seed
    saved = session.resume()
    state: dict[str, Any] = json.loads(saved) if saved else {"step": 0, "place": 0.0}
    while state["step"] < int(settings["steps"]):
        draw = random.Random(f"{seed} {state['step']}").choice((-1, 1))
        state["place"] += draw * float(settings["stride"]) + (settings["wind"] == "east")
        state["step"] += 1
        ended = state["step"] == int(settings["steps"])
        position = Position(1, state["step"], ended)
        session.step_done(position, lambda: json.dumps(state).encode())
    return Outcome({"top1": state["place"]})
