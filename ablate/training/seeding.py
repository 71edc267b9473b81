"""Seeds as a function of (seed, purpose, epoch), for any library; nothing here loads torch."""

from __future__ import annotations

import hashlib


def hashed(seed: int, purpose: str, epoch: int = 0) -> int:
    """64 bits that follow from (seed, purpose, epoch)."""
    # The newline keeps (1, "x", 23) and (12, "x", 3) apart; repr keeps newlines out of purposes.
    text = f"{seed}\n{purpose!r}\n{epoch}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def seed_for(seed: int, purpose: str, epoch: int = 0) -> int:
    """A seed below 2³² for `numpy.random`, `random` or scikit-learn's `random_state`.

    >>> order = numpy.random.default_rng(seed_for(seed, "order", epoch)).permutation(n)
    """
    return hashed(seed, purpose, epoch) % 2**32
