"""Train a small neural network, so that there is something real to measure.

Two dense layers with a tanh between them learn a smooth function of four variables from noisy samples, by mini-batch
gradient descent with momentum. Needs numpy only::

    codecarbon monitor -- python examples/train.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

INPUTS = 4
HIDDEN = 256
SAMPLES = 20_000
BATCH = 200
LEARNING_RATE = 0.004
MOMENTUM = 0.9


class Network:
    """``tanh(x A + a) B + b`` with its gradients."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.parameters: list[Array] = [
            rng.normal(0.0, 1.0 / np.sqrt(INPUTS), (INPUTS, HIDDEN)),
            np.zeros(HIDDEN),
            rng.normal(0.0, 1.0 / np.sqrt(HIDDEN), (HIDDEN, 1)),
            np.zeros(1),
        ]
        self._velocity = [np.zeros_like(entry) for entry in self.parameters]

    def predict(self, x: Array) -> Array:
        """Give the network's answers for some inputs."""
        a_weight, a_bias, b_weight, b_bias = self.parameters
        return np.asarray(np.tanh(x @ a_weight + a_bias) @ b_weight + b_bias)

    def step(self, x: Array, y: Array) -> None:
        """Take one descent step on the mean squared error of a batch."""
        a_weight, a_bias, b_weight, b_bias = self.parameters
        hidden = np.tanh(x @ a_weight + a_bias)
        error = 2.0 * (hidden @ b_weight + b_bias - y) / len(x)
        back = (error @ b_weight.T) * (1.0 - hidden**2)
        gradients = [x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)]
        for parameter, velocity, gradient in zip(self.parameters, self._velocity, gradients, strict=True):
            velocity[...] = MOMENTUM * velocity - LEARNING_RATE * gradient
            parameter[...] += velocity


def make_data(rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw inputs and noisy targets."""
    x = rng.uniform(-1.0, 1.0, (SAMPLES, INPUTS))
    y = np.sin(3.0 * x[:, 0]) * np.cos(2.0 * x[:, 1]) + x[:, 2] * x[:, 3]
    return x, (y + rng.normal(0.0, 0.05, SAMPLES))[:, None]


def train(seconds: float) -> float:
    """Train for about ``seconds`` and return the last loss."""
    rng = np.random.default_rng(20)
    x, y = make_data(rng)
    network = Network(rng)
    begin_s = time.perf_counter()
    next_report_s = 0.0
    epoch = 0
    while True:
        elapsed_s = time.perf_counter() - begin_s
        if elapsed_s >= next_report_s or elapsed_s >= seconds:
            loss = float(np.mean((network.predict(x) - y) ** 2))
            print(f"epoch {epoch:4d}   {elapsed_s:5.1f} s   loss {loss:.5f}", flush=True)
            next_report_s = elapsed_s + 1.0
        if elapsed_s >= seconds:
            return loss
        order = rng.permutation(SAMPLES)
        for start in range(0, SAMPLES, BATCH):
            batch = order[start : start + BATCH]
            network.step(x[batch], y[batch])
        epoch += 1


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to train, about (default: 10)")
    train(parser.parse_args().seconds)


if __name__ == "__main__":
    main()
