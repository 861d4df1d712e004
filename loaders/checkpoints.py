"""Weights files: read without running anything in them, and fitted to a network."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from circuitkb.schema.errors import CheckpointError

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_COUNTERS = "num_batches_tracked"
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read named tensors from a checkpoint; nothing that the file holds is run.

    ``.safetensors`` files are read by safetensors, all others as torch's own format with
    ``weights_only=True``. Tensors that stand under ``state_dict``, ``model`` or the like are
    found there.

    Raises
    ------
    CheckpointError
        The file is missing, empty, truncated or of another format; wants to run code; or holds no
        named tensors.
    """
    if not file.is_file():
        raise CheckpointError(f"There is no file {str(file)!r}.")
    if file.stat().st_size == 0:
        raise CheckpointError(f"{file.name} is empty.")
    content = _read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
    tensors = _find_tensors(content)
    if not tensors:
        raise CheckpointError(
            f"{file.name} holds no named tensors: save the network's state_dict() in it."
        )
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise CheckpointError(
                f"{file.name}: {name} is sparse or quantised; save it as an ordinary tensor."
            )
    return tensors


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


def _find_tensors(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    tensors = {
        name: value
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if tensors:
        return tensors
    inner = (_find_tensors(content[name]) for name in _WRAPPERS if name in content)
    return next((found for found in inner if found), {})


def fill(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    file: Path,
    architecture: str,
    unused: Collection[str] = (),
) -> None:
    """Put tensors into a network, all of them and into all of it.

    A prefix that every name has and the network lacks (``module.``, as training on several
    devices writes it) is taken off.

    Parameters
    ----------
    module
        The network; takes the values in its own data types.
    tensors
        As :func:`read_tensors` gives them.
    file, architecture
        For messages.
    unused
        Prefixes of tensors that may be there and that the network does not use, as those of
        auxiliary classifiers.

    Raises
    ------
    CheckpointError
        Names or shapes do not fit; the message says which.
    """
    state = module.state_dict()
    expected = {
        name: tensor for name, tensor in state.items() if name.rpartition(".")[2] != _COUNTERS
    }
    given = {
        name: tensor
        for name, tensor in _without_prefix(tensors, expected).items()
        if name.rpartition(".")[2] != _COUNTERS and not name.startswith(tuple(unused))
    }
    problems = []
    if missing := sorted(expected.keys() - given.keys()):
        problems.append(f"{_count(missing, 'key')} missing ({_some(missing)})")
    if unexpected := sorted(given.keys() - expected.keys()):
        problems.append(f"{_count(unexpected, 'key')} unexpected ({_some(unexpected)})")
    reshaped = [
        f"{name} is {_shape(given[name])} instead of {_shape(expected[name])}"
        for name in sorted(expected.keys() & given.keys())
        if given[name].shape != expected[name].shape
    ]
    if reshaped:
        problems.append(f"{_count(reshaped, 'shape')} different ({_some(reshaped)})")
    if problems:
        raise CheckpointError(f"{file.name} does not fit {architecture}: {'; '.join(problems)}.")
    # Updating keeps the versions of the modules' own formats, which some of them ask for.
    state.update(given)
    module.load_state_dict(state)


def _without_prefix(tensors: Mapping[str, Tensor], expected: Collection[str]) -> dict[str, Tensor]:
    found = dict(tensors)
    while not found.keys() & set(expected):
        prefix = next((p for p in _PREFIXES if all(name.startswith(p) for name in found)), None)
        if prefix is None:
            break
        found = {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    return found


def _count(items: Collection[str], what: str) -> str:
    return f"{len(items)} {what}{'' if len(items) == 1 else 's'}"


def _some(items: Collection[str]) -> str:
    return ", ".join(list(items)[:3]) + (", ..." if len(items) > 3 else "")


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single value"
