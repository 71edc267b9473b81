"""A frozen teacher's features of every view that crop and flip can make of every image."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ablate.methods.session import Position, Session
from ablate.training import checkpoint
from ablate.training.data import ImageData
from ablate.training.networks import Network
from ablate.training.precision import Precision
from ablate.training.views import all_views

#: Images per pass; fixed, since another number may round to other bits.
_CHUNK = 250

#: Into how many epochs a large table falls, at whose ends a checkpoint may be due. A checkpoint
#: holds all that is filled, so far more of them would write far more than the table.
_EPOCHS = 20


@torch.no_grad()
def fill_table(
    session: Session,
    teacher: Network,
    data: ImageData,
    augmentation: str,
    precision: Precision,
) -> Tensor:
    """Features (views, n, width), float32, on the CPU, by a teacher in eval mode.

    A step is one view of a chunk of images. After the last one there is nothing left to save but
    the table itself.
    """
    views = data.info.crop_views if augmentation != "none" else 1
    chunks = torch.split(data.train_images, _CHUNK)
    per_epoch = -(-len(chunks) // _EPOCHS)
    filled, begun = _restored(session, precision.device)
    for number in range(len(filled), len(chunks)):
        for view, rendered in all_views(chunks[number], data.info, augmentation):
            if view < len(begun):
                continue
            with precision.autocast():
                features = teacher.features(precision.lay_out(rendered))
            begun.append(features.float())
            if len(begun) == views:
                # Gathered first, since each copy from a GPU waits for all passes before it.
                filled.append(torch.stack(begun).cpu())
                begun = []
            if len(filled) < len(chunks):
                ended = not begun and len(filled) % per_epoch == 0
                step = number * views + view + 1
                position = Position(number // per_epoch + 1, step, ended)
                session.step_done(position, partial(_snapshot, filled, begun))
    return torch.cat(filled, dim=1)


def _snapshot(filled: list[Tensor], begun: list[Tensor]) -> bytes:
    return checkpoint.pack({"filled": filled, "begun": [features.cpu() for features in begun]})


def _restored(session: Session, device: torch.device) -> tuple[list[Tensor], list[Tensor]]:
    """Whole chunks (views, images, width) on the CPU, and the next one's views (images, width)."""
    content = session.resume()
    if content is None:
        return [], []
    state = checkpoint.unpack(content)
    return state["filled"], [features.to(device) for features in state["begun"]]
