"""The state of modules, optimizers and schedules of a user's own program, as bytes."""

from __future__ import annotations

from typing import Any, Protocol

from torch import nn

from ablate.training import checkpoint


class Stateful(Protocol):
    """Whatever has a state, as torch's modules, optimizers and schedules do."""

    def state_dict(self) -> dict[str, Any]:
        """Its state, of tensors and plain types."""

    def load_state_dict(self, state: dict[str, Any], /) -> Any:
        """Take up a state."""


class TorchState:
    """All that a checkpoint has to hold, by name.

    >>> state = TorchState(model=model, optimizer=optimizer, schedule=schedule)
    >>> train_epochs(session, 10, train_epoch, save=state.save, restore=state.restore)
    """

    def __init__(self, **parts: Stateful) -> None:
        self._parts = parts

    def save(self) -> bytes:
        """The states of all parts."""
        return checkpoint.pack({name: part.state_dict() for name, part in self._parts.items()})

    def restore(self, content: bytes) -> None:
        """Take up what `save` gave; it holds no code that could run."""
        for name, state in checkpoint.unpack(content).items():
            self._parts[name].load_state_dict(state)

    def weights_digest(self) -> str:
        """SHA-256 over the tensors of all modules, for `Outcome.weights_digest`."""
        modules = {n: part for n, part in self._parts.items() if isinstance(part, nn.Module)}
        return checkpoint.digest(
            {f"{n}.{key}": t for n, one in modules.items() for key, t in one.state_dict().items()}
        )
