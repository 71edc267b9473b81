"""The programs that jobs name: what a worker runs from a session to an outcome.

`supervised` trains a teacher or a student on labels, or takes up a teacher the user has;
`teacher_table` tabulates a teacher's features; `kd` trains a student from a teacher, as do the
programs of other methods, which stand beside their methods and share `distill`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablate.methods.catalog import located
from ablate.methods.own_networks import feature_width, network_input
from ablate.methods.reference_configs import KDConfig
from ablate.methods.session import STUDENT_ROLE, TEACHER_ROLE, JobConfig, Outcome, Session
from ablate.training import checkpoint, data, networks
from ablate.training.device_setup import facts, memory_errors, peak_memory, prepare
from ablate.training.evaluate import EvaluationSplit, evaluate
from ablate.training.feed import Feed
from ablate.training.hyper import Hyper
from ablate.training.loop import Progress, TrainingRun
from ablate.training.networks import Network
from ablate.training.networks.adapted import check, own_network
from ablate.training.precision import Precision
from ablate.training.randomness import initialising
from ablate.training.reference_methods import KD, Supervised
from ablate.training.step import Trainable
from ablate.training.teacher_table import TeacherTable, fill_table
from ablate.training.teacher_weights import load_weights

WEIGHTS, BEST, HITS = "weights.pt", "best.pt", "hits.npy"
TEACHER, TABLE = "teacher", "teacher_table"  # roles of upstream jobs
CHECKPOINT = "checkpoint"  # the user's own teacher, an input
DATA = "data"  # the user's own data set, an input


@dataclass(frozen=True)
class Setting:
    """What every program starts from: the job's data on its device, in its arithmetic."""

    session: Session
    data: data.ImageData
    precision: Precision

    @classmethod
    def of(cls, session: Session) -> Setting:
        """Prepare the process and load the data."""
        settings = session.config.settings
        device = prepare(session.machine, deterministic=bool(settings["deterministic"]))
        machine = session.machine
        name = located(session.config.data, machine.files.get(DATA))
        images = data.load(name, machine.data_dir).to(device)
        return cls(session, images, Precision(str(settings["precision"]), device))

    @property
    def config(self) -> JobConfig:
        """The job."""
        return self.session.config

    @property
    def device(self) -> torch.device:
        """Where passes run."""
        return self.precision.device

    @property
    def teacher_width(self) -> int:
        """Width of the teacher's features, whether or not the teacher has to run."""
        name = self.config.networks[TEACHER_ROLE]
        width = feature_width(name)
        return self.build(name, TEACHER_ROLE).feature_dim if width is None else width

    def build(self, name: str, purpose: str) -> Network:
        """Build a network for the data; its first weights follow from seed and purpose."""
        info, own = self.data.info, network_input(self.config.inputs, purpose)
        shape = info.classes, info.channels
        with initialising(self.config.seed, purpose):
            if own:
                file, function = self.session.machine.files[own], own.partition(":")[2]
                network = own_network(file, function, name, *shape)
            else:
                network = networks.build(name, *shape)
        if own or name not in networks.names():
            check(network, name, info.channels, info.size)
        return network

    def outcome(self, network: Network | None, **results: Any) -> Outcome:
        """Outcome of the job, with the digest of the trained network."""
        if network is not None:
            results["weights_digest"] = checkpoint.digest(network.state_dict())
        results["facts"] = facts(self.device) | results.get("facts", {})
        return Outcome(**results, peak_memory=peak_memory(self.device))

    def train(self, trainable: Trainable, table: TeacherTable | None = None) -> Outcome:
        """Train up to the last epoch and save the student: of the last epoch and of the best.

        Beside the weights it leaves which test images the student classifies right at the end.
        """
        hyper = Hyper.from_settings(self.config.settings)
        self.precision.place(trainable)
        student = trainable.student
        feed = Feed(
            self.data, hyper, self.config.seed, self.precision, trainable.needs, table
        )  # fmt: skip
        run = TrainingRun(self.session, trainable, feed, hyper)
        done: Progress = run.train()
        hits = evaluate(student, EvaluationSplit.test(self.data), self.precision).hits
        self.session.save_artifact(HITS, _npy(hits))
        self.save(student.state_dict())
        self.save(run.best_weights, BEST)
        facts = {"steps": run.path.words} if run.path.words else {}
        return self.outcome(
            student, metrics=done.last, best=done.best, best_epoch=done.best_epoch, facts=facts
        )

    def save(self, weights: Mapping[str, Tensor], file: str = WEIGHTS) -> None:
        """Save a state dict in the layout of the field's checkpoints, with plain types only."""
        state = {key: value.cpu().contiguous() for key, value in weights.items()}
        name = self.config.networks.get(STUDENT_ROLE) or self.config.networks[TEACHER_ROLE]
        content = {"model": state, "network": name, "classes": self.data.info.classes}
        self.session.save_artifact(file, checkpoint.pack(content))


#: (what it starts from, student, teacher or None where only its table is read) -> what is trained
Builder = Callable[[Setting, Network, Network | None], Trainable]


def supervised(session: Session) -> Outcome:
    """Train a network on labels alone: a teacher, or a student as reference.

    A teacher that the user gives as a checkpoint is not trained but tested.
    """
    with memory_errors(session.machine):
        setting = Setting.of(session)
        config = session.config
        [(role, name)] = config.networks.items()
        network = setting.build(name, role)
        if CHECKPOINT in config.inputs:
            return _tested(setting, network)
        return setting.train(Supervised(network))


def _tested(setting: Setting, network: Network) -> Outcome:
    """A teacher whose weights the user has: loaded, tested, saved like one that was trained."""
    path = setting.session.machine.files[CHECKPOINT]
    found = load_weights(path, network, setting.config.networks[TEACHER_ROLE])
    setting.precision.place(network)
    setting.save(network.state_dict())
    metrics = evaluate(network, EvaluationSplit.test(setting.data), setting.precision).metrics
    facts = {"checkpoint": path.name} | ({"checkpoint_read": found} if found else {})
    return setting.outcome(network, metrics=metrics, best=metrics, facts=facts)


def teacher_table(session: Session) -> Outcome:
    """Tabulate the teacher's features of every view of every training image."""
    with memory_errors(session.machine):
        setting = Setting.of(session)
        augmentation = str(session.config.settings["views.augmentation"])
        digest = fill_table(
            session, _teacher(setting), setting.data, augmentation, setting.precision
        )
        return setting.outcome(None, metrics={}, weights_digest=digest)


def distill(session: Session, build: Builder) -> Outcome:
    """Train a student by what `build` makes of it and of its teacher, where that has to run."""
    with memory_errors(session.machine):
        setting = Setting.of(session)
        config = session.config
        table = _table(setting) if TABLE in config.upstream else None
        needs_logits = float(config.settings["loss.kd"]) > 0
        runs_teacher = TEACHER in config.upstream and (table is None or needs_logits)
        teacher = _teacher(setting) if runs_teacher else None
        student = setting.build(config.networks[STUDENT_ROLE], STUDENT_ROLE)
        return setting.train(build(setting, student, teacher), table)


def kd(session: Session) -> Outcome:
    """Train a student by Hinton's distillation."""

    def build(setting: Setting, student: Network, teacher: Network | None) -> Trainable:
        return KD(KDConfig.from_settings(setting.config.settings), student, teacher)

    return distill(session, build)


def _npy(array: Tensor) -> bytes:
    stream = BytesIO()
    np.save(stream, array.cpu().numpy())
    return stream.getvalue()


def _teacher(setting: Setting) -> Network:
    """The upstream teacher, frozen."""
    name = setting.config.networks[TEACHER_ROLE]
    teacher = setting.build(name, "teacher")
    load_weights(setting.session.upstream(TEACHER) / WEIGHTS, teacher, name)
    setting.precision.place(teacher)
    return teacher.eval().requires_grad_(False)


def _table(setting: Setting) -> TeacherTable:
    """The upstream table."""
    info, settings = setting.data.info, setting.config.settings
    views = info.crop_views if settings["views.augmentation"] != "none" else 1
    width = setting.teacher_width
    folder = setting.session.upstream(TABLE)
    return TeacherTable.open(folder, views, len(setting.data.train_labels), width)
