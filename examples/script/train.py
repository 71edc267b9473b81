"""Train a small language model of letters on the text below, and print its perplexity."""

import argparse
from pathlib import Path

import numpy as np

TEXT = """
The river came down from the hills in the early spring and went slowly through the town. In the
morning the children ran along the water and threw small stones at the far bank, and in the evening
the old men sat on the wall and said that the river had been wider when they were young. Nobody had
ever measured it. When the summer came the river was low and brown, and the mill stood still, and
the miller walked up and down in front of the door and looked at the sky. Then the rain fell for
three days and three nights, and on the fourth morning the river stood in the street, and the
children went to school in a boat. The miller opened the gate, the wheel began to turn, and the old
men on the wall said that it was wide enough now, and that it had never been any wider than this.
"""


def examples(letters, context):
    """Windows of letters, and the letter that follows each."""
    n = len(letters) - context
    x = np.stack([letters[i : n + i] for i in range(context)], axis=1)
    return x, letters[context:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.5)
    parser.add_argument("--context", type=int, default=2, help="letters that predict the next one")
    parser.add_argument("--optimizer", default="sgd", choices=["sgd", "momentum"])
    parser.add_argument("--average", action="store_true", help="test the average of all weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-to", type=Path, help="folder for the checkpoint")
    parser.add_argument("--resume", type=Path, help="folder with a checkpoint to go on from")
    args = parser.parse_args()

    text = " ".join(TEXT.lower().split())
    alphabet = sorted(set(text))
    letters = np.array([alphabet.index(letter) for letter in text])
    x, y = examples(letters, args.context)
    cut = int(0.8 * len(y))
    hot = np.eye(len(alphabet))[x].reshape(len(y), -1)  # one-hot windows

    weights = np.random.default_rng(args.seed).normal(0, 0.01, (hot.shape[1], len(alphabet)))
    velocity, average, first = np.zeros_like(weights), np.zeros_like(weights), 1
    if args.resume:
        saved = np.load(args.resume / "checkpoint.npz")
        weights, velocity, average = saved["weights"], saved["velocity"], saved["average"]
        first = int(saved["epoch"]) + 1
        print(f"going on after epoch {first - 1}")

    for epoch in range(first, args.epochs + 1):
        order = np.random.default_rng([args.seed, epoch]).permutation(cut)
        for batch in np.array_split(order, cut // 16):
            scores = hot[batch] @ weights
            p = np.exp(scores - scores.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            gradient = hot[batch].T @ (p - np.eye(len(alphabet))[y[batch]]) / len(batch)
            velocity = (0.9 if args.optimizer == "momentum" else 0.0) * velocity + gradient
            weights = weights - args.lr * velocity
        average += weights
        tested = average / epoch if args.average else weights
        scores = hot[cut:] @ tested
        scores -= scores.max(1, keepdims=True)
        log_p = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        loss = -log_p[np.arange(len(y) - cut), y[cut:]].mean()
        print(f"epoch {epoch}/{args.epochs}  loss {loss:.6f}  perplexity {np.exp(loss):.6f}")
        if args.save_to:
            new = args.save_to / "new.npz"
            np.savez(new, weights=weights, velocity=velocity, average=average, epoch=epoch)
            new.replace(args.save_to / "checkpoint.npz")


if __name__ == "__main__":
    main()
