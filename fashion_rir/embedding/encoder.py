"""Any encoder of pictures as an ONNX file: SigLIP, FashionCLIP, DINOv2, or one of your own.

What the file cannot say of itself (mean, standard deviation, range) is read from a small YAML of
the same name beside it, or given. Everything is tried before work starts: see `open_encoder`.
"""

import json
import re
from pathlib import Path
from typing import Literal

import numpy as np
import pydantic
import yaml

from fashion_rir.data.images import MAX_SIZE
from fashion_rir.embedding import onnx_engine
from fashion_rir.embedding.backbones import BACKBONES
from fashion_rir.errors import ParameterError, WeightsError, unknown_name
from fashion_rir.system import sha256_of, sha256_of_file, usable_cores

LAYOUTS = {"NCHW": 1, "NHWC": 3}  # the place of the three colours

INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16,
               "tensor(uint8)": np.uint8}  # fmt: skip

HOW_TO_SAY = "write it into {yaml}, or give it by --encoder-settings"

Three = tuple[float, float, float]


class EncoderSettings(pydantic.BaseModel):
    """How an encoder wants its pictures; RGB.

    Attributes:
        size: side of the square input in pixels; the file's own if None.
        mean: of each colour, taken from the values in their range.
        std: of each colour; the values less the mean are divided by it.
        range: of the values before: 1 (0 to 1, as PyTorch has them), or 255.
        layout: `NCHW` or `NHWC`; read off the file if None.
        output: the name of the output with the embedding; the only one that fits if None.
        name: what to call the encoder; the file's name if None.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    size: int | None = pydantic.Field(None, ge=8, le=MAX_SIZE)
    mean: Three
    std: Three
    range: Literal[1, 255] = 1
    layout: Literal["NCHW", "NHWC"] | None = None
    output: str | None = None
    name: str | None = None


class OnnxEncoder:
    """An encoder that was tried; embeds as any backbone does.

    Attributes:
        image_size: side of the square input in pixels.
        calls_at_once: each call runs on one core.
    """

    calls_at_once = usable_cores()

    def __init__(self, path: Path, settings: EncoderSettings) -> None:
        """Open a file and try it.

        Raises:
            WeightsError, ParameterError: see `open_encoder`.
        """
        self._path, self._settings = path, settings
        self._session = _session(path)
        self._input, self._dtype, shape = _the_input(path, self._session)
        self._layout = _layout(path, shape, settings)
        self.image_size = _size(path, shape, self._layout, settings)
        self._batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None
        self._output, self._dim = self._the_output()
        self._sha256 = sha256_of(sha256_of_file(path), settings.model_dump_json())

    def embed(self, batch: np.ndarray) -> np.ndarray:
        """uint8 (n, image_size, image_size, 3) to float32 (n, embedding_dim)."""
        size = self._batch or onnx_engine.RUN_SIZE
        parts = [self._run(batch[i : i + size], self._output)[0]
                 for i in range(0, len(batch), size)]  # fmt: skip
        return np.concatenate(parts).reshape(len(batch), self._dim).astype(np.float32)

    def metadata(self, preprocessing: str) -> dict[str, object]:
        """What a feature store says of it; enough to open it again, see `from_metadata`."""
        name = encoder_name(self._settings.name or self._path.stem)
        about = {"path": str(self._path.resolve()), "settings": self._settings.model_dump()}
        return {
            "model": f"{name}-{self.image_size}-{preprocessing}",
            "backbone": name,
            "image_size": self.image_size,
            "preprocessing": preprocessing,
            "weights": self._path.name,
            "weights_sha256": self._sha256,
            "embedding_dim": self._dim,
            "encoder": json.dumps(about),
        }

    def _run(self, batch: np.ndarray, output: str | None) -> list[np.ndarray]:
        """One run; of a fixed batch the rest is filled up with black, and cut off again."""
        n_images = len(batch)
        if self._batch and n_images < self._batch:
            filling = np.zeros((self._batch - n_images, *batch.shape[1:]), batch.dtype)
            batch = np.concatenate([batch, filling])
        values = batch
        if self._dtype != np.uint8:
            scaled = batch.astype(np.float32) / (255 if self._settings.range == 1 else 1)
            centred = scaled - np.array(self._settings.mean, np.float32)
            values = (centred / np.array(self._settings.std, np.float32)).astype(self._dtype)
        if self._layout == "NCHW":
            values = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        found = self._session.run(output and [output], {self._input: values})
        return [one[:n_images] for one in found]

    def _the_output(self) -> tuple[str, int]:
        """Name and length of the embedding, found by trying three pictures."""
        shape = (self.image_size, self.image_size, 3)
        noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        tried = np.stack([noise, np.zeros_like(noise), np.full_like(noise, 255)])
        try:
            size = self._batch or 3
            runs = [self._run(tried[i : i + size], None) for i in range(0, 3, size)]
        except Exception as error:  # ONNX Runtime raises types of its own
            raise WeightsError(
                f"{self._path} fails on a picture of {self.image_size} pixels, {self._layout} "
                f"({_first_line(error)}); check size and layout."
            ) from error
        names = [output.name for output in self._session.get_outputs()]
        found = {name: np.concatenate([run[place] for run in runs])
                 for place, name in enumerate(names)}  # fmt: skip
        name = _chosen_output(self._path, found, self._settings)
        vectors = found[name].reshape(3, -1).astype(np.float64)
        if not np.isfinite(vectors).all():
            raise WeightsError(
                f"{self._path} gives numbers that are not finite (output {name!r}); check mean, "
                "std and range, or export it in float32."
            )
        if np.allclose(vectors[0], vectors[1]) and np.allclose(vectors[0], vectors[2]):
            raise WeightsError(
                f"{self._path} gives the same numbers for noise, black and white (output "
                f"{name!r}); check mean, std and range, and that it is trained."
            )
        return name, vectors.shape[1]


def open_encoder(path: Path, said: str | None = None) -> OnnxEncoder:
    """Open an encoder, and try it on three pictures.

    Args:
        path: of the ONNX file.
        said: settings as `size=224 mean=0.5,0.5,0.5 std=0.5,0.5,0.5`; what is not said is read
            from the YAML of the same name beside the file.

    Raises:
        WeightsError: no ONNX file; not one picture as input, or no embedding as output; another
            size or layout than was said; results that are not finite, or always the same.
        ParameterError: settings that are missing, unknown, or of another form.
    """
    if not path.is_file():
        raise WeightsError(f"There is no encoder {path}; name an ONNX file.")
    return OnnxEncoder(path, read_settings(path, said))


def from_metadata(text: str) -> OnnxEncoder:
    """The encoder that a feature store was made with, from its metadata's entry `encoder`.

    Raises:
        WeightsError: as for `open_encoder`.
    """
    about = json.loads(text)
    path = Path(about["path"])
    if not path.is_file():
        raise WeightsError(f"The encoder {path} is no longer there; put it back, or index again.")
    return OnnxEncoder(path, EncoderSettings(**about["settings"]))


def read_settings(path: Path, said: str | None = None) -> EncoderSettings:
    """The settings of an encoder; see `open_encoder`."""
    beside = path.with_suffix(".yaml")
    found: dict[str, object] = {}
    if beside.is_file():
        try:
            found = yaml.safe_load(beside.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ParameterError(f"{beside} is no YAML ({type(error).__name__}); mend it.") from (
                error
            )
    if not isinstance(found, dict):
        raise ParameterError(f"{beside} needs lines such as `size: 224` and `mean: [0, 0, 0]`.")
    for one in (said or "").split():
        name, is_set, value = one.partition("=")
        if not is_set:
            raise ParameterError(f"Encoder settings are written as name=value, not {one[:80]!r}.")
        found[name] = value.split(",") if "," in value else value
    how = HOW_TO_SAY.format(yaml=beside.name)
    for name in found:
        if name not in EncoderSettings.model_fields:
            raise unknown_name("encoder setting", name, EncoderSettings.model_fields)
    try:
        if "range" in found:
            found["range"] = int(str(found["range"]))
        settings = EncoderSettings(**found)
    except (pydantic.ValidationError, ValueError) as error:
        faults = error.errors(include_url=False) if hasattr(error, "errors") else []
        what = ", ".join(str(one["loc"][0]) for one in faults) or "range"
        raise ParameterError(
            f"The encoder's {what} is missing or not what it must be (size: a whole number; mean "
            f"and std: three numbers; range: 1 or 255; layout: NCHW or NHWC); {how}."
        ) from error
    if not all(settings.std):
        raise ParameterError(
            f"The encoder's std holds a 0, by which nothing can be divided; {how}."
        )
    return settings


def encoder_name(text: str) -> str:
    """A name for files and menus; never that of a backbone."""
    name = re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:60] or "encoder"
    return f"own-{name}" if name in BACKBONES else name


def _session(path: Path) -> object:
    library = onnx_engine.runtime()
    options = library.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return library.InferenceSession(path, options, ["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises types of its own
        raise WeightsError(
            f"{path} is no ONNX model that ONNX Runtime opens ({_first_line(error)}); export it "
            "again, with all its weights."
        ) from error


def _the_input(path: Path, session: object) -> tuple[str, type, list]:
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise WeightsError(
            f"{path} has {len(inputs)} inputs ({names}), an encoder of pictures has one; export "
            "the image tower alone."
        )
    (one,) = inputs
    if len(one.shape) != 4 or one.type not in INPUT_TYPES:
        raise WeightsError(
            f"{path} takes {one.type} of shape {one.shape} as {one.name!r}, not pictures (four "
            "dimensions, float or uint8)."
        )
    return one.name, INPUT_TYPES[one.type], one.shape


def _layout(path: Path, shape: list, settings: EncoderSettings) -> str:
    """The layout that was said, if the shape allows it; else the one that the shape shows."""
    shown = [name for name, place in LAYOUTS.items() if shape[place] == 3]
    open_ones = [name for name, place in LAYOUTS.items() if not isinstance(shape[place], int)]
    wanted = settings.layout
    if wanted is None:
        if len(shown) == 1:
            return shown[0]
        how = HOW_TO_SAY.format(yaml=path.with_suffix(".yaml").name)
        raise ParameterError(f"{path} does not show its layout (shape {shape}); {how}.")
    if wanted not in (shown or open_ones):
        raise WeightsError(
            f"{path} takes shape {shape}, which is not the layout {wanted} that was said"
            + (f", but {shown[0]}." if shown else ".")
        )
    return wanted


def _size(path: Path, shape: list, layout: str, settings: EncoderSettings) -> int:
    sides = shape[2:] if layout == "NCHW" else shape[1:3]
    fixed = {side for side in sides if isinstance(side, int) and side > 0}
    if len(fixed) > 1:
        raise WeightsError(f"{path} takes pictures of {sides[0]} x {sides[1]}; squares are needed.")
    wanted = settings.size or next(iter(fixed), None)
    if wanted is None:
        how = HOW_TO_SAY.format(yaml=path.with_suffix(".yaml").name)
        raise ParameterError(f"{path} takes pictures of any size; say the size: {how}.")
    if fixed and wanted not in fixed:
        raise WeightsError(
            f"{path} takes pictures of {fixed.pop()} pixels, not of {wanted} as was said."
        )
    if not 8 <= wanted <= MAX_SIZE:
        raise WeightsError(f"{path} takes pictures of {wanted} pixels; the limit is {MAX_SIZE}.")
    return wanted


def _chosen_output(path: Path, found: dict[str, np.ndarray], settings: EncoderSettings) -> str:
    """The output that was named, or the only one with one row of numbers a picture."""
    fits = [name for name, values in found.items()
            if values.ndim >= 2 and len(values) == 3 and values[0].size > 1
            and values[0].size == max(values.shape[1:])]  # fmt: skip
    shapes = ", ".join(f"{name} {list(values.shape[1:])}" for name, values in found.items())
    if settings.output is not None:
        if settings.output not in found:
            raise unknown_name(f"output of {path.name}", settings.output, found)
        fits = [name for name in fits if name == settings.output]
    if len(fits) != 1:
        raise WeightsError(
            f"{path} must give one row of numbers a picture, and gives {shapes}; name the output "
            "with the pooled embedding as `output`."
        )
    return fits[0]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
