"""A linear classifier of scikit-learn on its wine data, by macro F1."""

import io

import numpy as np

from ablate import Better, Choice, Method, Metric, Part, Range
from ablate.training.epochs import train_epochs
from ablate.training.seeding import seed_for

F1 = Metric("macro_f1", label="macro F1", better=Better.HIGHER, digits=3)
METHOD = Method(
    name="linear",
    title="Linear classifier",
    program="train",  # the function below
    parts=(
        Part("epochs", "epochs", "epochs", 20, Range(1, whole=True)),
        Part("loss", "loss", "", "hinge", Choice(("hinge", "log_loss"))),
        Part("penalty", "weight decay", "α", 1e-4, Range(0), off=0.0, off_label="w/o decay"),
        Part("scaling", "scaling of features", "", True, Choice((True, False)), off=False,
             value_labels={True: "with scaling", False: "w/o scaling"}),
    ),
    metrics=(F1,),
    roles=(),
    uses_data=False,
)  # fmt: skip


def train(session):
    from sklearn.datasets import load_wine
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import f1_score

    settings, seed = session.config.settings, session.config.seed
    x, y = load_wine(return_X_y=True)
    split = np.random.default_rng(0).permutation(len(y))  # one split for all rows and seeds
    learned, tested = split[:120], split[120:]
    if settings["scaling"]:
        x = (x - x[learned].mean(0)) / x[learned].std(0)
    model = SGDClassifier(loss=settings["loss"], alpha=settings["penalty"], eta0=0.01,
                          learning_rate="constant")  # fmt: skip
    model.partial_fit(x[:1] * 0, y[:1], classes=np.unique(y))  # makes its arrays
    model.coef_ = np.random.default_rng(seed_for(seed, "weights")).normal(0, 1, model.coef_.shape)

    def train_epoch(epoch):
        model.set_params(random_state=seed_for(seed, "shuffle", epoch))
        model.partial_fit(x[learned], y[learned])
        return {F1.name: f1_score(y[tested], model.predict(x[tested]), average="macro")}

    def save():
        stream = io.BytesIO()
        np.savez(stream, coef_=model.coef_, intercept_=model.intercept_, t_=model.t_)
        return stream.getvalue()

    def restore(content):
        saved = np.load(io.BytesIO(content))
        model.coef_, model.intercept_, model.t_ = saved["coef_"], saved["intercept_"], saved["t_"]

    return train_epochs(
        session, settings["epochs"], train_epoch, save=save, restore=restore, best_by=F1
    )
