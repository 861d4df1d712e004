"""Weights fitted to a network: under the names that training left them, all or none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from circuitkb.loaders.sources.checkpoints import Candidate, check_ordinary, shown
from circuitkb.schema.errors import CheckpointError

_COUNTERS = ("num_batches_tracked", "n_averaged")
_WRAPPED = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""Names that wrappers put between the network's own."""

_MOST_PREFIXES = 8
_WIDTH = 16
"""Bits that a floating-point weight has at least: narrower ones need a scale from elsewhere."""

GO_ON = "Of another network? Load it as an .onnx file, or build it: --arch FILE.py:FUNCTION."
"""What to do with weights of a network that nobody here knows."""

Build = Callable[[int | None], nn.Module]
"""Builds a network for so many classes; for as many as it has by itself if None."""


@dataclass(frozen=True)
class Fitted:
    """A network with its weights, and what a user is to know of how they were found."""

    module: nn.Module
    notes: tuple[str, ...]


@dataclass
class _Fit:
    """Tensors under a network's own names, and what speaks against them.

    ``outside`` are names that do not stand under the prefix.
    """

    candidate: Candidate
    prefix: str
    tensors: dict[str, Tensor]
    wanted: dict[str, torch.Size]
    outside: list[str]
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)

    @property
    def named(self) -> bool:
        """Whether all names fit, whatever the shapes."""
        return not (self.missing or self.unexpected)

    @property
    def faults(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.reshaped)


def fit(
    build: Build,
    candidates: Collection[Candidate],
    *,
    file: Path,
    architecture: str,
    unused: Collection[str] = (),
    rename: Callable[[str], str] = str,
) -> Fitted:
    """Build a network with the weights of a checkpoint.

    Prefixes that wrappers put before the names (``module.``, ``_orig_mod.``, ``model.``,
    ``backbone.`` and any other) are taken off where exactly one makes the names fit, and a head
    for another number of classes makes the network be built for as many.

    Parameters
    ----------
    build
        Builds the network, in evaluation mode, with any weights.
    candidates
        As :func:`~circuitkb.loaders.sources.checkpoints.read_candidates` gives them; the first that
        fits is taken.
    file, architecture
        For messages.
    unused
        Beginnings of names of tensors that may be there and that the network does not use.
    rename
        Gives the network's own name for one of an older version.

    Raises
    ------
    CheckpointError
        Nothing fits; the message says what is wrong with what fits best.
    """
    module = build(None)
    best: _Fit | None = None
    for candidate in candidates:
        found = _fit(module, candidate, file, unused, rename)
        notes = _notes(found, candidates, file)
        classes = _classes(found)
        if classes is not None:
            rebuilt = build(classes)
            again = _fit(rebuilt, candidate, file, unused, rename)
            if not again.faults:
                put(rebuilt, again.tensors, file=file)
                before = found.wanted[found.reshaped[0]][0]
                count = f"{classes} class{'es' if classes != 1 else ''}"
                head = f"{file.name} has {count} instead of {before}, and so its network."
                return Fitted(rebuilt, (*notes, head))
        if not found.faults:
            put(module, found.tensors, file=file)
            return Fitted(module, notes)
        if best is None or found.faults < best.faults:
            best = found
    if best is None:
        raise CheckpointError(f"{file.name} holds no named tensors.")
    raise CheckpointError(_does_not_fit(best, file, architecture))


def fill(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    *,
    file: Path,
    architecture: str,
    unused: Collection[str] = (),
) -> None:
    """Put tensors into a network as it is, all of them and into all of it.

    Raises
    ------
    CheckpointError
        Names, shapes or kinds of numbers do not fit; the message says which.
    """
    found = _fit(module, Candidate("", dict(tensors)), file, unused, str)
    if found.faults:
        raise CheckpointError(_does_not_fit(found, file, architecture))
    put(module, found.tensors, file=file)


def put(module: nn.Module, tensors: Mapping[str, Tensor], *, file: Path) -> None:
    """Put tensors of the right names and shapes into a network.

    Raises
    ------
    CheckpointError
        Weights that are no floating-point numbers of 16 bits or more: integers, booleans, complex
        numbers. Their scale, if they have one, is not in the file.
    """
    check_ordinary(tensors, file)
    state = module.state_dict()
    for name, tensor in tensors.items():
        _check_numbers(name, tensor, state[name], file)
    # Updating keeps the versions of the modules' own formats, which some of them ask for.
    state.update(tensors)
    module.load_state_dict(state)


def _check_numbers(name: str, given: Tensor, wanted: Tensor, file: Path) -> None:
    kind = str(given.dtype).removeprefix("torch.")
    if wanted.is_floating_point() or wanted.is_complex():
        fits = given.is_floating_point() or (given.is_complex() and wanted.is_complex())
        if not fits or 8 * given.element_size() < _WIDTH:
            raise CheckpointError(
                f"{file.name}: {shown(name)} holds {kind} numbers, which are not the weights "
                "themselves: save it as float16, bfloat16, float32 or float64."
            )
    elif not torch.equal(given.to(wanted.dtype).to(given.dtype), given):
        raise CheckpointError(
            f"{file.name}: {shown(name)} holds {kind} numbers where the network counts with "
            f"{str(wanted.dtype).removeprefix('torch.')}."
        )


def _fit(
    module: nn.Module,
    candidate: Candidate,
    file: Path,
    unused: Collection[str],
    rename: Callable[[str], str],
) -> _Fit:
    """Find the prefix under which the names fit best, and what is wrong with it."""
    expected = {name: t.shape for name, t in module.state_dict().items() if not _counts(name)}
    tried: list[_Fit] = []
    for unwrap in (False, True):
        given = {
            rename(_unwrapped(name) if unwrap else name): tensor
            for name, tensor in candidate.tensors.items()
            if not _counts(name)
        }
        tried += [
            _compared(given, prefix, expected, candidate, unused)
            for prefix in _prefixes(given, expected)
        ]
        _share_out(tried)
        if fitting := [item for item in tried if item.named]:
            return _chosen(fitting, file)
        if not any(map(_is_wrapped, candidate.tensors)):
            break
    return min(tried, key=lambda item: item.faults + len(item.outside))


def _chosen(fitting: list[_Fit], file: Path) -> _Fit:
    """Return the one that fits; of several the running mean."""
    means = [item for item in fitting if Candidate(item.prefix, {}).is_mean]
    if len(fitting) == 1 or len(means) == 1:
        return (means or fitting)[0]
    names = ", ".join(shown(item.prefix) or "no prefix" for item in fitting[:4])
    raise CheckpointError(
        f"{file.name} holds several networks that fit ({names}): save one of them alone."
    )


def _prefixes(given: Collection[str], expected: Collection[str]) -> list[str]:
    """Return what may stand before the network's own names; '' among them."""
    probe = max(expected, key=lambda name: (len(name), name), default="")
    found = [name[: -len(probe)] for name in given if probe and name.endswith(f".{probe}")]
    first = next(iter(given), "").partition(".")[0]
    if not found and first and all(name.startswith(f"{first}.") for name in given):
        found.append(f"{first}.")  # for the message: what else is wrong
    return ["", *sorted(found, key=len)[:_MOST_PREFIXES]]


def _is_wrapped(name: str) -> bool:
    return not _WRAPPED.isdisjoint(name.split("."))


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPED)


def _compared(
    given: Mapping[str, Tensor],
    prefix: str,
    expected: Mapping[str, torch.Size],
    candidate: Candidate,
    unused: Collection[str],
) -> _Fit:
    inside = {name.removeprefix(prefix): t for name, t in given.items() if name.startswith(prefix)}
    own = {name: t for name, t in inside.items() if not name.startswith(tuple(unused))}
    return _Fit(
        candidate,
        prefix,
        {name: own[name] for name in expected if name in own},
        dict(expected),
        [name for name in given if not name.startswith(prefix)],
        sorted(expected.keys() - own.keys()),
        sorted(own.keys() - expected.keys()),
        sorted(n for n in expected.keys() & own.keys() if own[n].shape != expected[n]),
    )


def _share_out(tried: Collection[_Fit]) -> None:
    """Let a network at the top not be spoilt by whole networks that stand under prefixes."""
    others = tuple(item.prefix for item in tried if item.prefix and item.named)
    for item in tried:
        if not item.prefix and others:
            item.outside += [name for name in item.unexpected if name.startswith(others)]
            item.unexpected = [name for name in item.unexpected if not name.startswith(others)]


def _counts(name: str) -> bool:
    """Whether a tensor counts steps of training: no output depends on it."""
    return name.rpartition(".")[2] in _COUNTERS


def _classes(found: _Fit) -> int | None:
    """Return for how many classes a network's head was trained, if that is all that differs."""
    if not found.named or not found.reshaped:
        return None
    sizes = set()
    for name in found.reshaped:
        given, wanted = found.tensors[name].shape, found.wanted[name]
        if len(given) != len(wanted) or not given or given[1:] != wanted[1:]:
            return None
        if not 0 < given[0] <= found.tensors[name].untyped_storage().nbytes():
            return None  # no memory for what the file only claims
        sizes.add((given[0], wanted[0]))
    return min(sizes)[0] if len(sizes) == 1 else None


def _notes(found: _Fit, candidates: Collection[Candidate], file: Path) -> tuple[str, ...]:
    notes = []
    if len(candidates) > 1:
        keys = ", ".join(shown(item.key) for item in candidates)
        taken = shown(found.candidate.key)
        notes.append(f"{file.name} holds several sets of tensors ({keys}): {taken} was taken.")
    if found.outside:
        place = f"under {shown(found.prefix)}" if found.prefix else "at the top"
        notes.append(
            f"{file.name}: what stands {place} was taken, "
            f"{_count(found.outside, 'other tensor')} left out ({_some(found.outside)})."
        )
    return tuple(notes)


def _does_not_fit(found: _Fit, file: Path, architecture: str) -> str:
    problems = []
    if found.missing:
        problems.append(f"{_count(found.missing, 'key')} missing ({_some(found.missing)})")
    if found.unexpected:
        problems.append(f"{_count(found.unexpected, 'key')} unexpected ({_some(found.unexpected)})")
    if found.reshaped:
        shapes = [
            f"{shown(name)} is {_shape(found.tensors[name].shape)} instead of "
            f"{_shape(found.wanted[name])}"
            for name in found.reshaped[:3]
        ]
        more = ", ..." if len(found.reshaped) > 3 else ""
        problems.append(f"{_count(found.reshaped, 'shape')} different ({', '.join(shapes)}{more})")
    return f"{file.name} does not fit {architecture}: {'; '.join(problems)}.\n{GO_ON}"


def _count(items: Collection[str], what: str) -> str:
    return f"{len(items)} {what}{'' if len(items) == 1 else 's'}"


def _some(items: Iterable[str]) -> str:
    listed = list(items)
    return ", ".join(map(shown, listed[:3])) + (", ..." if len(listed) > 3 else "")


def _shape(shape: torch.Size) -> str:
    return "x".join(map(str, shape)) or "a single value"
