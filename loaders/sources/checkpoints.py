"""Weights files: read without running anything in them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from circuitkb.schema.errors import CheckpointError

_MEANS = ("ema", "averag", "swa")
"""In the key of weights that are running means of those that were trained."""

_NO_WEIGHTS = ("optim", "sched", "scaler", "rng", "loops", "callback", "momentum", "amp")
"""In the keys of what a training program needs to go on."""

_DEEPEST = 4
_MOST_CANDIDATES = 16
_STRETCHED = 1 << 20
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


@dataclass(frozen=True)
class Candidate:
    """Named tensors of a checkpoint, which may be the weights.

    ``key`` is the way to them through the file's dictionaries, as in ``model`` or
    ``ema.state_dict``; empty where they stand at the top.
    """

    key: str
    tensors: dict[str, Tensor]

    @property
    def is_mean(self) -> bool:
        """Whether its key says that it is a running mean of the weights."""
        return any(word in self.key.lower() for word in _MEANS)


def read_candidates(file: Path) -> list[Candidate]:
    """Read everything in a checkpoint that may be weights; nothing that the file holds is run.

    ``.safetensors`` files are read by safetensors, all others as torch's own format with
    ``weights_only=True``. Where a training program kept several (the weights and their running
    mean), the running mean comes first: it is what such programs measure and publish.

    Raises
    ------
    CheckpointError
        The file is missing, empty, truncated or of another format; wants to run code; or holds no
        named tensors.
    """
    if not file.is_file():
        there = "is no file" if file.exists() else "is not there"
        raise CheckpointError(f"{str(file)!r} {there}: a checkpoint is a regular file.")
    if file.stat().st_size == 0:
        raise CheckpointError(f"{file.name} is empty.")
    content = _read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
    found = list(_candidates(content, ()))[:_MOST_CANDIDATES]
    if not found:
        raise CheckpointError(
            f"{file.name} holds no named tensors{_keys(content)}: "
            "save the network's state_dict() in it."
        )
    return sorted(found, key=lambda candidate: not candidate.is_mean)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read the named tensors of a checkpoint; of several sets, the one that is most likely meant.

    Raises
    ------
    CheckpointError
        As :func:`read_candidates`; or a tensor is sparse, quantised, or larger than the file.
    """
    tensors = read_candidates(file)[0].tensors
    check_ordinary(tensors, file)
    return tensors


def check_ordinary(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Raise :class:`CheckpointError` for tensors whose values do not stand in the file."""
    for name, tensor in tensors.items():
        if tensor.is_meta:
            raise CheckpointError(
                f"{file.name}: {shown(name)} has no values (it is a meta tensor): save the network "
                "after its weights are loaded."
            )
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise CheckpointError(
                f"{file.name}: {shown(name)} is sparse or quantised; save it as an ordinary tensor."
            )
        size = tensor.numel() * tensor.element_size()
        if size > max(tensor.untyped_storage().nbytes(), _STRETCHED):
            raise CheckpointError(
                f"{file.name}: {shown(name)} has {tensor.numel():,} values, more than the file "
                "holds; save it as an ordinary tensor."
            )


def shown(name: str) -> str:
    """Return a tensor's name as a message can hold it.

    Examples
    --------
    >>> shown("conv.weight"), shown("a" * 200)[-5:], shown("a\\n")
    ('conv.weight', 'aa...', "'a\\\\n'")
    """
    text = name if name.isprintable() else repr(name)
    return text if len(text) <= 80 else f"{text[:80]}..."


def _read_safetensors(file: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, Tensor] = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{file.name} is not a safetensors file, or is truncated ({_first_line(error)})."
        ) from error
    return found


def _read_torch(file: Path) -> Any:
    from pickle import UnpicklingError

    try:
        with warnings.catch_warnings():
            # What torch thinks of old or foreign pickles is no news to the user.
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{file.name} cannot be read: {_first_line(error)}.") from error
    except Exception as error:  # A damaged file can fail anywhere in the reader.
        wanted = _GLOBAL.search(str(error))
        refused = wanted or (isinstance(error, UnpicklingError) and "Unsupported" in str(error))
        if (refused and _is_pickle(file)) or "TorchScript" in str(error):
            code = f" ({wanted[1]})" if wanted else ""
            raise CheckpointError(
                f"{file.name} is refused: it wants to run code when it is read{code}.\n"
                "Save its state_dict() with safetensors.torch.save_file and load that file."
            ) from error
        raise CheckpointError(
            f"{file.name} is not a checkpoint that torch can read, or is truncated."
        ) from error


def _is_pickle(file: Path) -> bool:
    """Whether a file starts as torch's archives or as pickles do."""
    with file.open("rb") as stream:
        return stream.read(2) in (b"PK", *(bytes([0x80, protocol]) for protocol in range(2, 6)))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def _candidates(content: object, path: tuple[str, ...]) -> Iterator[Candidate]:
    if not isinstance(content, Mapping) or len(path) > _DEEPEST:
        return
    tensors = {
        name: value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if tensors:
        yield Candidate(".".join(path), tensors)
        return
    for name, value in content.items():
        if isinstance(name, str) and not any(word in name.lower() for word in _NO_WEIGHTS):
            yield from _candidates(value, (*path, name))


def _keys(content: object) -> str:
    if not isinstance(content, Mapping) or not content:
        return ""
    names = [shown(str(name)) for name in list(content)[:4]]
    return f" (its keys: {', '.join(names)}{', ...' if len(content) > 4 else ''})"
