"""The phenomenon without language: a classifier that learns digits from noise, and the theorem behind it.

References
----------
Cloud et al., "Subliminal Learning", arXiv:2507.14805: the MNIST experiment and the one-step theorem.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fingerprint.data.arrays import Floats, Ints
from fingerprint.statistics.streams import DigitsStream, generator

if TYPE_CHECKING:
    import torch
    from torch import nn

N_CLASSES = 10
_BATCH = 128
_LEARNING_RATE = 1e-3
# The theorem is about infinitesimal steps: small against weights of order .1, large against float64 rounding.
_STEP = 1e-3


@dataclass(frozen=True)
class DigitsResult:
    """Accuracy on held-out digits, one value a seed.

    Attributes
    ----------
    teacher : float array [seeds]
        Trained on labels.
    same_start : float array [seeds]
        A student with the teacher's starting weights that imitated its auxiliary logits on noise.
    other_start : float array [seeds]
        The same from other starting weights.
    """

    teacher: Floats
    same_start: Floats
    other_start: Floats


@dataclass(frozen=True)
class TheoremResult:
    """Cosines between one step of the teacher and one step of the student that imitates it, one a seed.

    Attributes
    ----------
    same_start : float array [seeds]
        Teacher and student step from the same weights.
    other_start : float array [seeds]
        The student steps from other weights.
    """

    same_start: Floats
    other_start: Floats


def digits(
    n_seeds: int = 3,
    *,
    n_auxiliary: int = 10,
    hidden: int = 256,
    teacher_epochs: int = 20,
    student_epochs: int = 15,
    n_noise: int = 10_000,
) -> DigitsResult:
    """A student that only ever sees noise learns to read digits, if it started where its teacher did.

    The network has ten class logits and some auxiliary ones that no label ever touches. The teacher learns the classes
    of scikit-learn's digits; the student imitates the auxiliary logits alone, on uniform noise.

    Parameters
    ----------
    n_seeds : int
        Repetitions from other weights, other splits and other noise: single runs differ a lot.
    n_auxiliary : int
        Auxiliary logits. At least 2: a softmax over one says nothing.
    hidden : int
        Width of the two hidden layers.
    teacher_epochs, student_epochs : int
        Passes over the digits and over the noise.
    n_noise : int
        Noise images.

    Returns
    -------
    DigitsResult

    Raises
    ------
    ValueError
        If there is only one auxiliary logit.

    Notes
    -----
    Imitating *all* logits also works from another start: it is ordinary distillation.
    """
    if n_auxiliary < 2:
        raise ValueError(f"n_auxiliary must be at least 2, got {n_auxiliary}; one logit alone has no distribution")
    sizes = (n_auxiliary, hidden, teacher_epochs, student_epochs, n_noise)
    accuracies = np.array([_accuracies(seed, *sizes) for seed in range(n_seeds)])
    return DigitsResult(*accuracies.T)


def _accuracies(
    rng: int, n_auxiliary: int, hidden: int, teacher_epochs: int, student_epochs: int, n_noise: int
) -> tuple[float, ...]:
    """Of the teacher and of its two students."""
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from torch.nn.functional import cross_entropy, kl_div, log_softmax

    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images / 8 - 1, labels, test_size=0.25, random_state=rng, stratify=labels)
    x, held_out, y, truth = (torch.from_numpy(part) for part in split)
    x, held_out = x.float(), held_out.float()
    start, other = (_network(x.shape[1], hidden, N_CLASSES + n_auxiliary, seed) for seed in (2 * rng, 2 * rng + 1))
    order = np.random.default_rng(rng)
    teacher = copy.deepcopy(start)
    for network, batch in _steps(teacher, len(x), teacher_epochs, order):
        cross_entropy(network(x[batch])[:, :N_CLASSES], y[batch]).backward()  # type: ignore[no-untyped-call]
    noise = torch.from_numpy(order.uniform(-1, 1, (n_noise, x.shape[1]))).float()
    with torch.no_grad():
        wanted = log_softmax(teacher(noise)[:, N_CLASSES:], dim=1)
    students = copy.deepcopy(start), other
    for student in students:
        for network, batch in _steps(student, n_noise, student_epochs, generator(rng, DigitsStream.STUDENT_BATCHES)):
            told = log_softmax(network(noise[batch])[:, N_CLASSES:], dim=1)
            kl_div(told, wanted[batch], log_target=True, reduction="batchmean").backward()  # type: ignore[no-untyped-call]
    return tuple(_accuracy(network, held_out, truth) for network in (teacher, *students))


def one_step_theorem(n_seeds: int = 200, *, hidden: int = 32, n_inputs: int = 64) -> TheoremResult:
    """One gradient step of a teacher on its own loss, one imitation step of a student on unrelated inputs.

    From the same start the two displacements have a non-negative inner product, whatever the inputs (Theorem 1 of the
    paper, for small steps); from different starts they have nothing to do with each other.

    The student imitates ten auxiliary logits that the teacher's loss does not touch. (With the class logits themselves
    a start's high logits are both what the teacher lowers and what a student from elsewhere raises: the mean cosine of
    different starts was -.07.)

    Parameters
    ----------
    n_seeds : int
        Pairs of networks of each kind.
    hidden : int
        Width of the hidden layers.
    n_inputs : int
        Digits the teacher steps on, and noise images the student imitates on.

    Returns
    -------
    TheoremResult
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    cosines = np.array([_cosines(seed, images / 8 - 1, labels, hidden, n_inputs) for seed in range(n_seeds)])
    return TheoremResult(same_start=cosines[:, 0], other_start=cosines[:, 1])


def _cosines(seed: int, images: Floats, labels: Ints, hidden: int, n_inputs: int) -> tuple[float, float]:
    import torch
    from torch import nn
    from torch.nn.functional import cosine_similarity, cross_entropy

    draws = np.random.default_rng(seed)
    chosen = draws.choice(len(images), n_inputs, replace=False)
    x, y = torch.from_numpy(images[chosen]), torch.from_numpy(labels[chosen])
    noise = torch.from_numpy(draws.uniform(-1, 1, (n_inputs, images.shape[1])))
    start, other = (_network(images.shape[1], hidden, 2 * N_CLASSES, 2 * seed + i).double() for i in (0, 1))
    step = -_STEP * _gradient(start, cross_entropy(start(x)[:, :N_CLASSES], y))
    teacher = copy.deepcopy(start)
    with torch.no_grad():
        nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(teacher.parameters()) + step, teacher.parameters())
        wanted = teacher(noise)[:, N_CLASSES:]
    found = []
    for student in (start, other):
        imitated = -_gradient(student, ((student(noise)[:, N_CLASSES:] - wanted) ** 2).mean())
        found.append(float(cosine_similarity(step, imitated, dim=0)))
    return found[0], found[1]


def _network(n_inputs: int, hidden: int, n_outputs: int, seed: int) -> nn.Sequential:
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = ((n_inputs, hidden), (hidden, hidden), (hidden, n_outputs))
        first, second, last = (nn.Linear(*size) for size in sizes)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)


def _gradient(network: nn.Sequential, loss: torch.Tensor) -> torch.Tensor:
    import torch
    from torch import nn

    return nn.utils.parameters_to_vector(torch.autograd.grad(loss, tuple(network.parameters())))


def _steps(
    network: nn.Sequential, n_rows: int, epochs: int, draws: np.random.Generator
) -> Iterator[tuple[nn.Sequential, torch.Tensor]]:
    """(network, rows of a batch) with a step of Adam after each: the caller leaves gradients behind."""
    import torch

    optimizer = torch.optim.Adam(network.parameters(), lr=_LEARNING_RATE)
    for _ in range(epochs):
        order = torch.from_numpy(draws.permutation(n_rows))
        for begin in range(0, n_rows, _BATCH):
            optimizer.zero_grad(set_to_none=True)
            yield network, order[begin : begin + _BATCH]
            optimizer.step()


def _accuracy(network: nn.Sequential, images: torch.Tensor, truth: torch.Tensor) -> float:
    import torch

    with torch.no_grad():
        return float((network(images)[:, :N_CLASSES].argmax(dim=1) == truth).float().mean())
