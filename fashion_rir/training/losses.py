"""Losses that draw the embeddings of alike products together and push the others apart.

NT-Xent (Chen et al. 2020, "A Simple Framework for Contrastive Learning of Visual
Representations"), supervised contrastive (Khosla et al. 2020), the same with several attributes,
and triplets (Schroff et al. 2015, "FaceNet"); and the two measures that say what such a training
does to the embeddings (Wang and Isola 2020).

All are pure functions in `keras.ops`. They scale embeddings to length 1, compute in float32
whatever comes in, and give the same on every backend. A label is an integer from 0; -1 is
missing and equals nothing, not even another -1.

In a compiled training step no value can be looked at, so a batch without a positive has a loss
of 0 there. `check_batch` finds such data before training starts.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from keras import ops

from fashion_rir.errors import ParameterError
from fashion_rir.training.samplers import MISSING, has_positive

Tensor = Any  # a NumPy array or a tensor of the backend; results are tensors

KerasLoss = Callable[[Tensor, Tensor], Tensor]  # as `model.compile` takes it

EXCLUDED = -1e30  # a logit that a softmax makes 0; infinity would give nan in the gradient

BEYOND = 9.0  # more than a squared distance of unit vectors (up to 4) and a margin (up to 4)

UNIFORMITY_SCALE = 2  # t in Wang and Isola (2020)


def nt_xent(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """NT-Xent, equation 1 of Chen et al. (2020): find the other view among all the rest.

    For a view i whose other view is j:
    loss(i) = -log(exp(s_ij / temperature) / sum over k != i of exp(s_ik / temperature)),
    where s is the cosine similarity. The result is the mean over all 2 n views.

    Args:
        first: one view of each product, shape (n, embedding_dim), of any length.
        second: another view of the same products, same shape.
        temperature: above 0, usually 0.01 to 1; low ones look at the nearest products only.

    Returns:
        float32 scalar, 0 or more.

    Raises:
        ParameterError: shapes that differ, or a temperature of 0 or below.

    Example:
        >>> views = np.array([[1.0, 0.0], [0.0, 1.0]])
        >>> round(float(nt_xent(views, views, temperature=1.0)), 4)  # log((e + 1 + 1) / e)
        0.5514
    """
    first, second = _two_views(first, second)
    product = ops.arange(ops.shape(first)[0])
    return supervised_contrastive(
        ops.concatenate([first, second]),
        ops.concatenate([product, product]),
        temperature=temperature,
    )


def supervised_contrastive(embeddings: Tensor, labels: Tensor, *, temperature: float) -> Tensor:
    """Supervised contrastive loss, L_out in equation 2 of Khosla et al. (2020).

    loss(i) = -mean over i's positives p of
    log(exp(s_ip / temperature) / sum over k != i of exp(s_ik / temperature)).
    The result is the mean over the products that have a positive.

    With the product's number as the label of two stacked views this is NT-Xent.

    Args:
        embeddings: shape (n, embedding_dim), of any length.
        labels: shape (n,) or (n, 1), -1 for missing.
        temperature: above 0, usually 0.01 to 1.

    Returns:
        float32 scalar, 0 or more; 0 if no product has a positive.

    Raises:
        ParameterError: labels of another length, or a temperature of 0 or below.

    Example:
        >>> corners = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> labels = np.array([0, 0, 1])
        >>> round(float(supervised_contrastive(corners, labels, temperature=1.0)), 4)
        0.3133
    """
    weights = ops.cast(_same_label(embeddings, labels), "float32")
    return weighted_contrastive(embeddings, weights, temperature=temperature)


def weighted_contrastive(embeddings: Tensor, weights: Tensor, *, temperature: float) -> Tensor:
    """Supervised contrastive loss where some positives count more than others.

    As `supervised_contrastive`, but the mean over i's positives is weighted with weights[i, p].
    So only the ratios within a row matter, and every product with a positive counts the same.

    Args:
        embeddings: shape (n, embedding_dim), of any length.
        weights: shape (n, n), 0 (a negative) to 1; the diagonal does not count.
        temperature: above 0, usually 0.01 to 1.

    Returns:
        float32 scalar, 0 or more; 0 if no product has a positive.

    Raises:
        ParameterError: weights of another shape, NumPy weights outside [0, 1], or a temperature
            of 0 or below.
    """
    check_temperature(temperature)
    embeddings = _unit_length(embeddings)
    weights = _check_weights(weights, embeddings)
    is_self = _is_self(embeddings)
    logits = ops.where(is_self, EXCLUDED, _similarities(embeddings) / float(temperature))
    weights = ops.where(is_self, 0.0, weights)
    total = ops.sum(weights, axis=1)
    log_shares = ops.log_softmax(logits, axis=1)  # it takes the row's maximum off first
    losses = -ops.sum(weights * log_shares, axis=1) / ops.where(total > 0, total, 1.0)
    return _mean_where(total > 0, losses)


def multi_attribute(
    embeddings: Tensor, labels: Tensor, *, shares: Sequence[float], temperature: float
) -> Tensor:
    """`weighted_contrastive` with the weights of `attribute_weights`.

    Args:
        embeddings: shape (n, embedding_dim), of any length.
        labels: shape (n, n_attributes), -1 for missing; the first attribute is articleType.
        shares: how much each attribute counts, 0 or more, summing to 1.
        temperature: above 0, usually 0.01 to 1.

    Returns:
        float32 scalar, 0 or more; 0 if no product has a positive.

    Raises:
        ParameterError: labels of another shape, shares that do not sum to 1, or a temperature
            of 0 or below.
    """
    _check_rows(embeddings, labels)
    weights = attribute_weights(labels, shares)
    return weighted_contrastive(embeddings, weights, temperature=temperature)


def attribute_weights(labels: Tensor, shares: Sequence[float]) -> Tensor:
    """What every two products have in common: the shares of their equal attributes, added up.

    It is 0 unless the first attribute is equal: a red shoe is no positive of a red shirt.

    Args:
        labels: shape (n, n_attributes), -1 for missing; the first attribute is articleType.
        shares: how much each attribute counts, 0 or more, summing to 1.

    Returns:
        float32, shape (n, n), in [0, 1].

    Raises:
        ParameterError: labels of another shape, or shares that do not sum to 1.

    Example:
        >>> shirts = np.array([[0, 5], [0, 5], [0, 6], [1, 5]])  # the last is a shoe
        >>> np.asarray(attribute_weights(shirts, [0.75, 0.25]))[0].tolist()
        [1.0, 1.0, 0.75, 0.0]
    """
    _check_shares(shares)
    labels = _integers(labels)
    if len(labels.shape) != 2 or labels.shape[1] != len(shares):
        raise ParameterError(
            f"{len(shares)} shares need labels of shape (n, {len(shares)}), not "
            f"{tuple(labels.shape)}; give one share to each attribute."
        )
    is_same = ops.cast(_equal(labels[:, None], labels[None, :]), "float32")
    return is_same[..., 0] * ops.sum(is_same * ops.convert_to_tensor(shares, "float32"), axis=-1)


def triplet_semi_hard(embeddings: Tensor, labels: Tensor, *, margin: float) -> Tensor:
    """Triplet loss with semi-hard negatives (Schroff et al. 2015).

    For an anchor a, each of its positives p, and squared distances d of the unit vectors:
    loss(a, p) = max(d_ap - d_an + margin, 0), where n is the nearest negative that is farther
    from a than p is; if there is none, the farthest negative. The result is the mean over all
    pairs (a, p).

    Args:
        embeddings: shape (n, embedding_dim), of any length.
        labels: shape (n,) or (n, 1), -1 for missing.
        margin: how much farther a negative should be than a positive, 0 < margin <= 4; the
            paper takes 0.2.

    Returns:
        float32 scalar, 0 or more; 0 if there is no pair, or one class only.

    Raises:
        ParameterError: labels of another length, or a margin out of range.

    Example:
        >>> corners = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
        >>> labels = np.array([0, 0, 1])  # d_01 = 2, d_02 = 4, d_12 = 2: only 1's is too near
        >>> float(triplet_semi_hard(corners, labels, margin=0.5))  # (0 + 0.5) / 2
        0.25
    """
    _check_margin(margin)
    is_same = _same_label(embeddings, labels)
    embeddings = _unit_length(embeddings)
    is_self = _is_self(embeddings)
    is_negative = ~(is_same | is_self)
    distances = 2.0 - 2.0 * _similarities(embeddings)
    negatives = ops.sort(ops.where(is_negative, distances, BEYOND), axis=1)
    n_negatives = ops.sum(ops.cast(is_negative, "int32"), axis=1, keepdims=True)
    chosen = ops.minimum(_count_up_to(negatives, distances), n_negatives - 1)
    negative = ops.take_along_axis(negatives, ops.maximum(chosen, 0), axis=1)
    return _mean_where(is_same & ~is_self, ops.relu(distances - negative + float(margin)))


def alignment(first: Tensor, second: Tensor) -> Tensor:
    """How close products are that should be alike (Wang and Isola 2020); low is good.

    The mean squared distance of unit vectors: mean over i of |first_i - second_i| ** 2.

    Args:
        first: shape (n, embedding_dim), of any length.
        second: in each row a positive of the same row of `first`, same shape.

    Returns:
        float32 scalar, 0 to 4.

    Raises:
        ParameterError: shapes that differ.

    Example:
        >>> float(alignment(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])))
        2.0
    """
    first, second = _two_views(first, second)
    difference = _unit_length(first) - _unit_length(second)
    return ops.mean(ops.sum(ops.square(difference), axis=1))


def uniformity(embeddings: Tensor) -> Tensor:
    """How evenly embeddings fill the sphere (Wang and Isola 2020, with t = 2); low is good.

    log(mean over all pairs i != j of exp(-2 |x_i - x_j| ** 2)), of unit vectors.

    Args:
        embeddings: shape (n, embedding_dim), n of 2 or more, of any length. The n * n distances
            are all in memory, 100 MB for 5,000 products: take a sample of a large catalogue.

    Returns:
        float32 scalar, -8 to 0; 0 if all are the same.

    Raises:
        ParameterError: fewer than two embeddings.

    Example:
        >>> float(uniformity(np.array([[1.0, 0.0], [-1.0, 0.0]])))  # a squared distance of 4
        -8.0
    """
    embeddings = _unit_length(embeddings)
    if embeddings.shape[0] is not None and embeddings.shape[0] < 2:
        raise ParameterError(
            f"Uniformity compares two embeddings or more, not {embeddings.shape[0]}."
        )
    distances = ops.clip(2.0 - 2.0 * _similarities(embeddings), 0.0, 4.0)  # rounding leaves it
    return ops.log(_mean_where(~_is_self(embeddings), ops.exp(-UNIFORMITY_SCALE * distances)))


def as_keras_loss(function: Callable[..., Tensor], **options: Any) -> KerasLoss:
    """A loss of labels in the form that `model.compile` takes.

    For NT-Xent put both views into one batch, the products' numbers as labels, and take
    `supervised_contrastive`. The loss belongs to the batch as a whole, so sample weights have
    no effect that makes sense.

    Args:
        function: `supervised_contrastive`, `multi_attribute` or `triplet_semi_hard`.
        options: what it needs besides embeddings and labels.

    Returns:
        A function of y_true (labels) and y_pred (embeddings).

    Raises:
        ParameterError: no loss of labels, or options that it does not take.

    Example:
        >>> loss = as_keras_loss(supervised_contrastive, temperature=1.0)
        >>> round(float(loss(np.array([0, 0, 1]), np.array([[1.0, 0], [1, 0], [0, 1]]))), 4)
        0.3133
    """
    try:
        inspect.signature(function).bind(embeddings=None, labels=None, **options)
    except TypeError as error:
        raise ParameterError(
            f"{function.__name__} with the options {sorted(options)} is no loss of embeddings "
            f"and labels: {error}."
        ) from error
    checks = {"temperature": check_temperature, "margin": _check_margin, "shares": _check_shares}
    for name in checks.keys() & options.keys():
        checks[name](options[name])

    def loss(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return function(embeddings=y_pred, labels=y_true, **options)

    loss.__name__ = function.__name__
    return loss


def check_temperature(temperature: float) -> None:
    """Refuse a temperature that is no number above 0.

    Raises:
        ParameterError: it is not.
    """
    if not isinstance(temperature, Real) or not 0 < temperature < math.inf:
        raise ParameterError(
            f"The temperature must be a number above 0, usually 0.01 to 1, not {temperature!r}."
        )


def check_batch(labels: np.ndarray) -> None:
    """Refuse labels from which nothing can be learned.

    Args:
        labels: int, shape (n,), -1 for missing; or (n, n_attributes), where the first attribute
            decides, as in `attribute_weights`.

    Raises:
        ParameterError: labels that are no integers, one class only, or no two equal labels.
    """
    labels = np.asarray(labels)
    classes = labels[:, 0] if labels.ndim == 2 else labels
    is_positive = has_positive(classes)
    n_classes = len(np.unique(classes[classes != MISSING]))
    if n_classes < 2:
        raise ParameterError(
            f"The {len(classes)} products are of {n_classes} class, so there is nothing to tell "
            "apart; take products of two classes or more."
        )
    if not is_positive.any():
        raise ParameterError(
            f"No two of the {len(classes)} products are of the same class, so none has a "
            "positive; take two products or more of a class (`class_balanced_batches`)."
        )


def _unit_length(embeddings: Tensor) -> Tensor:
    """float32 embeddings of length 1; one that is all zeros stays so, with a finite gradient."""
    embeddings = ops.cast(embeddings, "float32")
    _check_two_dimensions(embeddings)
    squared = ops.sum(ops.square(embeddings), axis=1, keepdims=True)
    return embeddings * ops.rsqrt(ops.where(squared > 0, squared, 1.0))


def _similarities(embeddings: Tensor) -> Tensor:
    """Cosine similarities of unit vectors: shape (n, n), -1 to 1."""
    return ops.matmul(embeddings, ops.transpose(embeddings))


def _is_self(embeddings: Tensor) -> Tensor:
    """bool, shape (n, n): the diagonal."""
    row = ops.arange(ops.shape(embeddings)[0])
    return row[:, None] == row[None, :]


def _same_label(embeddings: Tensor, labels: Tensor) -> Tensor:
    """bool, shape (n, n): which two embeddings have the same label; the diagonal too."""
    labels = _integers(labels)
    if len(labels.shape) == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if len(labels.shape) != 1:
        raise ParameterError(
            f"The labels must be of shape (n,) or (n, 1), not {tuple(labels.shape)}; for several "
            "attributes use `multi_attribute`."
        )
    _check_rows(embeddings, labels)
    return _equal(labels[:, None], labels[None, :])


def _integers(labels: Tensor) -> Tensor:
    """Labels as int32, whatever numbers they come as: Keras hands them to a loss as float32."""
    if isinstance(labels, np.ndarray) and labels.dtype.kind not in "iuf":
        raise ParameterError(
            f"The labels are of type {labels.dtype}, but must be integers; `pandas.factorize` "
            "makes them of names."
        )
    return ops.cast(labels, "int32")


def _equal(labels: Tensor, others: Tensor) -> Tensor:
    return (labels == others) & (labels != MISSING)


def _count_up_to(ascending: Tensor, values: Tensor) -> Tensor:
    """Row by row, how many of the ascending numbers are not above each value: int32."""
    return ops.vectorized_map(
        lambda row: ops.searchsorted(row[0], row[1], side="right"),
        (ops.stop_gradient(ascending), ops.stop_gradient(values)),
    )


def _mean_where(mask: Tensor, values: Tensor) -> Tensor:
    """Mean of the values where the mask is true; 0 if it nowhere is."""
    counted = ops.cast(mask, "float32")
    return ops.sum(ops.where(mask, values, 0.0)) / ops.maximum(ops.sum(counted), 1.0)


def _two_views(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both as tensors of one type, so that a float16 and a float32 view go together."""
    first, second = ops.cast(first, "float32"), ops.cast(second, "float32")
    if tuple(first.shape) != tuple(second.shape):
        raise ParameterError(
            f"The two views have the shapes {tuple(first.shape)} and {tuple(second.shape)}; row "
            "by row they must show the same products."
        )
    return first, second


def _check_two_dimensions(embeddings: Tensor) -> None:
    if len(embeddings.shape) != 2:
        raise ParameterError(
            "The embeddings must be of shape (n, embedding_dim), not "
            f"{tuple(embeddings.shape)}; give one row to each product."
        )


def _check_rows(embeddings: Tensor, labels: Tensor) -> None:
    """Compare the lengths, where both are known: in a compiled step they may not be."""
    n_embeddings, n_labels = embeddings.shape[0], labels.shape[0]
    if None not in (n_embeddings, n_labels) and n_embeddings != n_labels:
        raise ParameterError(
            f"There are {n_embeddings} embeddings but {n_labels} labels; give one label to each "
            "embedding."
        )


def _check_weights(weights: Tensor, embeddings: Tensor) -> Tensor:
    if isinstance(weights, np.ndarray) and not ((weights >= 0) & (weights <= 1)).all():
        raise ParameterError(
            f"The weights of positives lie between {weights.min()} and {weights.max()}; bring "
            "them into [0, 1]."
        )
    n_embeddings = embeddings.shape[0]
    fits = all(size in (None, n_embeddings) for size in weights.shape)
    if len(weights.shape) != 2 or (n_embeddings is not None and not fits):
        raise ParameterError(
            f"The weights are of shape {tuple(weights.shape)}, but {n_embeddings} embeddings "
            f"need ({n_embeddings}, {n_embeddings}), one weight for each two."
        )
    return ops.cast(weights, "float32")


def _check_margin(margin: float) -> None:
    if not isinstance(margin, Real) or not 0 < margin <= 4:
        raise ParameterError(
            "The margin is in squared distances of unit vectors, above 0 and up to 4, not "
            f"{margin!r}."
        )


def _check_shares(shares: Sequence[float]) -> None:
    if not all(share >= 0 for share in shares) or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise ParameterError(
            f"The shares of the attributes must be 0 or more and sum to 1, not {list(shares)}."
        )
