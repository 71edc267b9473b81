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


@torch.no_grad()
def fill_table(
    session: Session,
    teacher: Network,
    data: ImageData,
    augmentation: str,
    precision: Precision,
) -> Tensor:
    """Features (views, n, width), float32, on the CPU, by a teacher in eval mode.

    Resumes with the images that no checkpoint holds yet. Position: one epoch, a step per chunk.
    """
    n = len(data.train_images)
    views = data.info.crop_views if augmentation != "none" else 1
    table = torch.empty(views, n, teacher.feature_dim)
    done = 0
    content = session.resume()
    if content is not None:
        saved: Tensor = checkpoint.unpack(content)["features"]
        done = saved.shape[1]
        table[:, :done] = saved
    while done < n:
        start, done = done, min(done + _CHUNK, n)
        images = data.train_images[start:done]
        for view, rendered in all_views(images, data.info, augmentation):
            with precision.autocast():
                features = teacher.features(precision.lay_out(rendered))
            table[view, start:done] = features.float()
        position = Position(1, -(-done // _CHUNK), done == n)
        session.step_done(position, partial(_snapshot, table[:, :done]))
    return table


def _snapshot(rows: Tensor) -> bytes:
    # A copy, since a saved slice would bring its whole table along.
    return checkpoint.pack({"features": rows.clone()})
