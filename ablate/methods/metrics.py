"""The measured quantities a study may ask for, with the words and directions tables need."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.methods.parts import plain


@dataclass(frozen=True)
class Metric:
    """One measured quantity of a finished job."""

    name: str  #: as files and exports write it: "top1"
    label: str  #: as a table's head prints it: "Top-1 accuracy (%)"
    unit: str  #: "%", "s", "MiB" or ""; differences of "%" are percentage points
    higher_is_better: bool
    digits: int = 2  #: decimals shown; statistics always use all
    cost: bool = False  #: depends on the machine, so no two runs agree to the bit
    comparable: bool = True  #: rows of a study measure the same; a sum of other terms does not


METRICS: tuple[Metric, ...] = (
    Metric("top1", "Top-1 accuracy (%)", "%", True),
    Metric("top5", "Top-5 accuracy (%)", "%", True),
    Metric("test_loss", "Test cross-entropy", "", False, 4),
    Metric("loss", "Training loss", "", False, 4, comparable=False),
    Metric("loss_ctr", "L_ctr", "", False, 4),
    Metric("loss_cls", "L_cls", "", False, 4),
    Metric("loss_pred", "L_pred", "", False, 4),
    Metric("loss_pred_sym", "L̃_pred", "", False, 4),
    Metric("loss_kd", "L_kd", "", False, 4),
    Metric("loss_crd", "L_crd", "", False, 4),
    Metric("contrast_acc", "(N+1)-way contrastive accuracy (%)", "%", True),
    Metric("train_top1", "Top-1 accuracy on training views (%)", "%", True),
    Metric("train_seconds", "Training time (s)", "s", False, 1, cost=True),
    Metric("peak_memory_mib", "Peak memory (MiB)", "MiB", False, 0, cost=True),
)


def find_metric(words: str) -> Metric | None:
    """Metric by its name or its label, as a plan writes it; None if there is no such metric."""
    for metric in METRICS:
        if plain(words) in (plain(metric.name), plain(metric.label)):
            return metric
    return None
