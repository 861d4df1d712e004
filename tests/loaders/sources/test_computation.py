"""What a network computes is part of who it is, beside its weights."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from circuitkb.loaders.sources.computation import computation
from circuitkb.schema.errors import TraceError

IMAGE = torch.randn(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """Two convolutions, and everything between them to choose."""

    def __init__(
        self,
        act: nn.Module | None = None,
        *,
        stride: int = 1,
        after: Callable[[Tensor], Tensor] = functional.relu,
        eps: float = 1e-5,
        shift: float = 0.0,
        mean: float = 0.5,
        name: str = "act",
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3, stride=stride)
        self.norm = nn.BatchNorm2d(4, eps=eps)
        self.add_module(name, act or nn.ReLU())
        self.last = nn.Conv2d(4, 4, 1)
        self.shift = shift
        self.mean = torch.tensor([mean, 0.25])
        self.register_buffer("unsaved", torch.tensor([2.0, mean]), persistent=False)
        self.after = after
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = (x - self.mean[0]) * self.unsaved[1]
        x = self.norm(self.first(x))
        x = next(part for name, part in self.named_children() if "act" in name)(x)
        y = x.clone()
        y[:, :1] = 0
        return self.after(self.last(y) + self.shift) + x


class Caching(nn.Module):
    """Keeps a table from its first image, as heads that find boxes keep their grid."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.table is None:
            self.table = torch.arange(x.shape[-1]).sin()
        return x * self.table


OTHERS = {
    "another activation": Net(nn.LeakyReLU()),
    "another slope": Net(nn.LeakyReLU(0.2)),
    "another stride": Net(stride=2),
    "another function after the last layer": Net(after=torch.sigmoid),
    "another epsilon": Net(eps=1e-3),
    "another constant": Net(shift=0.5),
    "another tensor beside the weights": Net(mean=0.75),
    "another name of a layer": Net(name="act2"),
}


def test_the_same_network_has_the_same_computation_whatever_its_weights() -> None:
    one, other = Net(), Net()
    torch.manual_seed(1)
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    assert computation(one, IMAGE) == computation(other, IMAGE) == computation(one, 2 * IMAGE)
    assert computation(copy.deepcopy(one), IMAGE) == computation(one, IMAGE)


@pytest.mark.parametrize("what", OTHERS)
def test_another_network_with_the_same_tensors_has_another(what: str) -> None:
    other = OTHERS[what]
    assert other.state_dict().keys() == Net().state_dict().keys()
    assert computation(other, IMAGE) != computation(Net(), IMAGE)


def test_every_other_network_has_its_own() -> None:
    assert len({computation(module, IMAGE) for module in OTHERS.values()}) == len(OTHERS)


def test_another_size_of_image_is_another_computation() -> None:
    assert computation(Net(), IMAGE) != computation(Net(), IMAGE[..., :10])


def test_what_a_network_keeps_from_its_first_image_makes_no_difference() -> None:
    module = Caching()
    first = computation(module, IMAGE)
    assert computation(module, IMAGE) == first
    assert computation(Caching(), IMAGE) == first


def test_a_step_in_place_is_seen() -> None:
    class Shared(nn.Module):
        def __init__(self, inplace: bool) -> None:
            super().__init__()
            self.act = nn.ReLU(inplace=inplace)

        def forward(self, x: Tensor) -> Tensor:
            x = x + 1
            return self.act(x) + x

    plain, changed = Shared(False), Shared(True)
    assert not torch.equal(plain(-3 * IMAGE.abs()), changed(-3 * IMAGE.abs()))
    assert computation(plain, IMAGE) != computation(changed, IMAGE)


def test_another_process_finds_the_same() -> None:
    code = (
        "import json, torch\n"
        "from tests.loaders.sources.test_computation import IMAGE, Net, computation\n"
        "print(json.dumps(computation(Net(), IMAGE)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7", "PATH": "", "OMP_NUM_THREADS": "1"},
    )
    assert json.loads(done.stdout) == computation(Net(), IMAGE)


def test_the_value_lasts() -> None:
    # Stores hold it: another one here makes every model that is loaded again a conflict.
    assert computation(Net(), IMAGE).startswith("torch1:9d9b17379c864c51")


def test_a_network_that_does_not_run_says_so_in_a_line() -> None:
    with pytest.raises(TraceError, match=r"\(Net\) does not run on one image of 5x12x12.*Runtime"):
        computation(Net(), torch.zeros(1, 5, 12, 12))
