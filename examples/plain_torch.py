"""A small network in plain torch on scikit-learn's digits: any optimizer, any schedule."""

from ablate import Better, Choice, Method, Metric, Part, Range
from ablate.training.epochs import train_epochs

ACCURACY = Metric("accuracy", label="Accuracy (%)", unit="%", better=Better.HIGHER)
METHOD = Method(
    name="mlp",
    title="Perceptron",
    program="train",  # the function below
    parts=(
        Part("epochs", "epochs", "epochs", 6, Range(1, whole=True)),
        Part("optimizer", "optimizer", "", "AdamW", Choice(("SGD", "AdamW"))),
        Part("dropout", "dropout", "p", 0.2, Range(0, 1), off=0.0, off_label="w/o dropout"),
        Part("schedule", "schedule of the learning rate", "", "cosine",
             Choice(("cosine", "constant")), off="constant", off_label="w/o schedule"),
    ),
    metrics=(ACCURACY,),
    roles=(),
    uses_data=False,
)  # fmt: skip


def train(session):
    import torch  # here, so that planning a study need not wait for it
    from sklearn.datasets import load_digits
    from torch import nn

    from ablate.training.randomness import initialising, order, seed_layers
    from ablate.training.torch_state import TorchState

    settings, seed = session.config.settings, session.config.seed
    images, labels = map(torch.tensor, load_digits(return_X_y=True))
    images, cut = images.float() / 16, 1200  # the rest is tested
    with initialising(seed, "weights"):
        model = nn.Sequential(
            nn.Linear(64, 64), nn.ReLU(), nn.Dropout(settings["dropout"]), nn.Linear(64, 10)
        )
    optimizer = getattr(torch.optim, settings["optimizer"])(model.parameters(), lr=0.01)
    if settings["schedule"] == "cosine":
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings["epochs"])
    else:
        schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    state = TorchState(model=model, optimizer=optimizer, schedule=schedule)

    def train_epoch(epoch):
        model.train()
        for step, batch in enumerate(order(seed, epoch, cut).split(64)):
            seed_layers(seed, epoch * 1000 + step)  # what dropout drops
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        schedule.step()
        right = model.eval()(images[cut:]).argmax(1) == labels[cut:]
        return {ACCURACY.name: 100 * right.double().mean().item()}

    return train_epochs(session, settings["epochs"], train_epoch, save=state.save, best_by=ACCURACY,
                        restore=state.restore, weights_digest=state.weights_digest)  # fmt: skip
