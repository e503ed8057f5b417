"""What a reader of notebook 05 can move: four vectors and the temperature of NT-Xent, and how much
a photo is changed. The static picture of each stands beside it.
"""

import io
from collections.abc import Callable, Mapping, Sequence

import ipywidgets
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from fashion_rir.figures import plots, style
from fashion_rir.figures.widgets import redrawn
from fashion_rir.training import augmentation

VIEWS = ("shirt, view 1", "shirt, view 2", "shoe, view 1", "shoe, view 2")

TWIN = np.array([1, 0, 3, 2])

ANGLES = (0, 36.87, 90, 53.13)  # degrees: (1, 0), (0.8, 0.6), (0, 1) and (0.6, 0.8)

SIDE = 128  # pixels of a changed photo

N_CHANGED = 5

Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]


def nt_xent_of_angles(
    angles: Sequence[float], temperature: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """NT-Xent of two products with two views each, all four on a circle.

    Args:
        angles: of the four of `VIEWS`, in degrees.
        temperature: above 0.

    Returns:
        The softmax weights (4, 4), each row summing to 1, its diagonal 0; the loss of each view
        (4,); and the slope of their mean along each angle (4,), per radian: training turns a vector
        against it.
    """
    turns = np.radians(np.asarray(angles, float))

    def at(turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits = np.cos(turns[:, None] - turns[None, :]) / temperature
        np.fill_diagonal(logits, -np.inf)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
        twin = logits[np.arange(4), TWIN] - logits.max(axis=1)
        return shares, np.log(powers.sum(axis=1)) - twin

    shares, losses = at(turns)
    step = 1e-4 * np.eye(4)
    slopes = [(at(turns + one)[1].mean() - at(turns - one)[1].mean()) / 2e-4 for one in step]
    return shares, losses, np.array(slopes)


def nt_xent_picture(angles: Sequence[float] = ANGLES, temperature: float = 0.5) -> Figure:
    """Four vectors with the way that training turns them, and their softmax weights."""
    shares, losses, slopes = nt_xent_of_angles(angles, temperature)
    title = (
        f"NT-Xent at temperature {temperature:g}: a loss of {losses.mean():.3f} (guessing: 1.099)"
    )
    figure, axes = style.panels(3.9, 2, title=title, width_ratios=(1, 1.35))
    left, right = axes[0]
    for number, (name, angle) in enumerate(zip(VIEWS, np.radians(angles), strict=True)):
        x, y = np.cos(angle), np.sin(angle)
        look = {"color": style.PALETTE[number // 2], "linestyle": "-" if number % 2 == 0 else "--"}
        left.plot([0, x], [0, y], linewidth=2, label=name, **look)
        turn = -np.clip(slopes[number], -1.5, 1.5) * 0.45
        if abs(turn) > 0.02:
            left.annotate("", (x - turn * y, y + turn * x), (x, y),
                          arrowprops={"arrowstyle": "-|>", "color": "0.2"})  # fmt: skip
    circle = np.linspace(0, 2 * np.pi, 200)
    left.plot(np.cos(circle), np.sin(circle), color="0.8", linewidth=0.8, zorder=0)
    left.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal", xlabel="x",
             ylabel="y (arrows: where training turns)")  # fmt: skip
    style.legend_below(figure, *left.get_legend_handles_labels(), ncols=4)
    right.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(4, 4):
        said = f"{shares[row, column]:.2f}" if row != column else "–"
        right.text(column, row, said, ha="center", va="center", fontsize=9,
                   color="white" if shares[row, column] > 0.6 else "black")  # fmt: skip
    right.set_xticks(range(4), [name.replace(", ", ",\n") for name in VIEWS], fontsize=8)
    rows = [f"{name}\n(loss {loss:.2f})" for name, loss in zip(VIEWS, losses, strict=True)]
    right.set_yticks(range(4), rows, fontsize=8)
    right.set(xlabel="is taken for its twin, with this weight (0 to 1)", ylabel="view that asks")
    return figure


def nt_xent_explorer() -> ipywidgets.Widget:
    """Sliders for the temperature and the four vectors, and `nt_xent_picture`."""
    wide = {"width": "20rem"}
    temperature = ipywidgets.FloatLogSlider(
        value=0.5, min=-2, max=1, step=0.05, description="temperature", layout=wide
    )
    turns = [ipywidgets.FloatSlider(value=angle, min=-180, max=180, description=name, layout=wide,
                                  style={"description_width": "6rem"}, continuous_update=False)
             for name, angle in zip(VIEWS, ANGLES, strict=True)]  # fmt: skip
    return redrawn(
        [temperature, *turns],
        lambda: nt_xent_picture([turn.value for turn in turns], temperature.value),
    )


def changed_picture(
    photo: Image.Image, change: str, strength: float, similarity: Similarity | None = None
) -> Figure:
    """A photo and some of its random views.

    Args:
        photo: any size.
        change: key in `augmentation.AUGMENTATIONS`.
        strength: 0 to 2; 1 is as in training.
        similarity: from views, uint8 (n, side, side, 3), and the photo, (1, side, side, 3), to the
            similarity of each view's embedding to the photo's, which is said below it.
    """
    square = np.asarray(photo.convert("RGB").resize((SIDE, SIDE)))
    views = augmentation.changed(square, change, strength, n_views=N_CHANGED, seed=3)
    captions = [f"view {number}" for number in range(1, N_CHANGED + 1)]
    if similarity is not None:
        found = similarity(views, square[None])
        captions = [f"{name}: {value:.2f}" for name, value in zip(captions, found, strict=True)]
    title = f"A photo, and its views by '{change}' at strength {strength:g}"
    said = "" if similarity is None else "; numbers: cosine similarity of the embeddings"
    return plots.photos([square, *views], ["as it is", *captions], title=title + said)[0]


def change_explorer(
    photos: Mapping[str, Image.Image],
    changes: Sequence[str],
    similarity: Similarity | None = None,
) -> ipywidgets.Widget:
    """Menus of photos and changes, a strength, and an upload for a photo of one's own.

    Args:
        photos: by what the menu shows.
        changes: keys in `augmentation.AUGMENTATIONS`.
        similarity: as for `changed_picture`.
    """
    menu = ipywidgets.Dropdown(options=list(photos), description="photo")
    change = ipywidgets.Dropdown(options=list(changes), description="change")
    strength = ipywidgets.FloatSlider(value=1.0, min=0.0, max=2.0, step=0.25,
                                      description="strength", continuous_update=False)  # fmt: skip
    own = ipywidgets.FileUpload(accept="image/*", description="your own photo")

    def draw() -> Figure:
        photo = photos[menu.value] if not own.value else _uploaded(own.value)
        return changed_picture(photo, change.value, strength.value, similarity)

    return redrawn([menu, change, strength, own], draw)


def _uploaded(files: Sequence[Mapping]) -> Image.Image:
    return Image.open(io.BytesIO(bytes(files[-1]["content"])))
