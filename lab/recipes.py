"""What the lab builds, as data: one Go module folder, one build line and the data files each.

Standard library only: `make lab` runs before any package is installed.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

GO_MODULES = Path(__file__).parent / "go"
KUBE_VERSION = "v1.36.2"
_KUBE_STAMP = "k8s.io/component-base/version"
_KWOK_STAGES = "kustomize/stage"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one set of servers is built.

    `binaries` maps the file name in the cache to its Go package; `data` names files of `data_module` that are kept
    beside the binaries, under their own base names.
    """

    name: str
    binaries: dict[str, str]
    stamps: dict[str, str]
    tags: str = ""
    data_module: str = ""
    data: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The Go module that pins every version."""
        return GO_MODULES / self.name

    @property
    def build_line(self) -> tuple[str, ...]:
        """The arguments of `go` up to the output folder and the packages."""
        linker = " ".join(["-s -w", *(f"-X {key}={value}" for key, value in self.stamps.items())])
        tags = (f"-tags={self.tags}",) if self.tags else ()
        return ("build", *tags, "-ldflags", linker)

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with anything that changes the result, but for Go's own version."""
        seen = hashlib.sha256()
        for part in (*self.build_line, *self.binaries, *self.binaries.values(), self.data_module, *self.data):
            seen.update(part.encode() + b"\0")
        for file in ("go.mod", "go.sum"):
            seen.update((self.folder / file).read_bytes() + b"\0")
        return seen.hexdigest()[:12]

    @property
    def oldest_go(self) -> str:
        """The version in the `go` line of go.mod."""
        lines = (self.folder / "go.mod").read_text().splitlines()
        return next(line.split()[1] for line in lines if line.startswith("go "))


RECIPES = (
    Recipe(name="etcd", binaries={"etcd": "go.etcd.io/etcd/server/v3"}, stamps={}),
    Recipe(
        name="kwok",
        binaries={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
        stamps={"sigs.k8s.io/kwok/pkg/consts.Version": "v0.8.0"},
        data_module="sigs.k8s.io/kwok",
        data=(
            f"{_KWOK_STAGES}/node/fast/node-initialize.yaml",
            f"{_KWOK_STAGES}/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
            f"{_KWOK_STAGES}/pod/fast/pod-ready.yaml",
            f"{_KWOK_STAGES}/pod/fast/pod-complete.yaml",
            f"{_KWOK_STAGES}/pod/fast/pod-delete.yaml",
        ),
    ),
    Recipe(
        name="kube",
        binaries={
            "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
            "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
            "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        },
        stamps={  # else /version shows nonsense
            f"{_KUBE_STAMP}.gitVersion": KUBE_VERSION,
            f"{_KUBE_STAMP}.gitMajor": "1",
            f"{_KUBE_STAMP}.gitMinor": "36",
            f"{_KUBE_STAMP}.gitTreeState": "clean",
        },
    ),
    Recipe(
        name="istio",
        binaries={"pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery"},
        stamps={"istio.io/istio/pkg/version.buildVersion": "1.31.0-dev"},
        tags="vtprotobuf,disable_pgv",
        data_module="istio.io/istio",
        data=("manifests/charts/base/files/crd-all.gen.yaml",),
    ),
)


def cache_folder() -> Path:
    """Where the built servers are kept: outside the checkout, so that clones and branches share them."""
    named = os.environ.get("MESHUI_LAB_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "meshui" / "lab"


def built_folder(recipe: Recipe, go_version: str) -> Path:
    """The cache folder of `recipe` as built by `go_version`, whether it exists or not."""
    return cache_folder() / f"{recipe.name}-{recipe.digest}-{go_version}"


def find_file(name: str) -> Path:
    """The built server or data file called `name`, by whichever Go version made it.

    Raises FileNotFoundError that says what to run.
    """
    for recipe in RECIPES:
        if name in recipe.binaries or name in {Path(path).name for path in recipe.data}:
            found = sorted(cache_folder().glob(f"{recipe.name}-{recipe.digest}-*/{name}"))
            if found:
                return found[-1]
    raise FileNotFoundError(f"{name} of the lab is not in {cache_folder()}: run `make lab` once (about 20 minutes).")
