"""What decides a result besides settings and code: the data's files and facts."""

from __future__ import annotations

import dataclasses
import hashlib

from ablate.matrix.identity import canonical
from ablate.methods.catalog import DataInfo


def data_inputs(info: DataInfo) -> dict[str, str]:
    """Digest of what is known of a data set before it is loaded, under the name "data".

    How many images train, how they are cropped, mirrored and normalised: facts that the training
    code reads and its digest does not cover. Of a user's own files, their content.
    """
    facts = dataclasses.asdict(info)
    for words in ("name", "title", "notes"):  # which change no result
        del facts[words]
    return {"data": hashlib.sha256(canonical(facts).encode()).hexdigest()}
