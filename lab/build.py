"""`python -m lab.build` (`make lab`): build the real servers once, into a cache outside the checkout.

Standard library only: it runs before any package is installed.
"""

import argparse
import fcntl
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab.recipes import RECIPES, Recipe, built_folder, cache_folder

_BUILDING = ".building-"


class BuildError(Exception):
    """The lab could not be built; the text says why and how to mend it."""


def installed_go(oldest: str) -> str:
    """The version of the `go` on PATH, as `go1.26.8`.

    Raises BuildError if there is none or it is older than `oldest`.
    """
    how = f"Install Go {oldest} or newer and put it on PATH, then run `make lab` again."
    if shutil.which("go") is None:
        raise BuildError(f"The lab builds its servers with Go, and `go` is not on PATH. {how}")
    asked = subprocess.run(
        ["go", "env", "GOVERSION"], capture_output=True, text=True, check=False, env=go_environment()
    )
    version = asked.stdout.strip()
    if asked.returncode or _numbers(version) < _numbers(oldest):
        raise BuildError(f"`go` on PATH is {version or asked.stderr.strip() or 'broken'}, too old for the lab. {how}")
    return version


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def go_environment() -> dict[str, str]:
    """The environment every `go` of the lab runs in: the pinned modules as they are, no other toolchain."""
    fixed = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-trimpath"}
    return {**os.environ, **fixed}


@contextmanager
def _go_caches(drop: bool) -> Iterator[dict[str, str]]:  # noqa: FBT001 -- the one switch of the command line
    """The Go environment; with `drop`, with module and build caches of its own that are gone afterwards."""
    if not drop:
        yield go_environment()
        return
    with tempfile.TemporaryDirectory(prefix=f"{_BUILDING}go-", dir=cache_folder()) as own:
        flags = "-trimpath -modcacherw"  # else Go's read-only modules cannot be removed
        yield {**go_environment(), "GOFLAGS": flags, "GOMODCACHE": f"{own}/modules", "GOCACHE": f"{own}/build"}


@contextmanager
def _only_builder() -> Iterator[None]:
    """One builder at a time per cache; a second one waits. What a killed builder left is removed."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"lab: another build is running in {cache_folder()}; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache_folder().glob(f"{_BUILDING}*"):
            shutil.rmtree(left)
        yield


def _go(recipe: Recipe, environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["go", *arguments], cwd=recipe.folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise BuildError(f"{recipe.name}: `go {arguments[0]}` ended with {done.returncode}; its reason stands above.")
    return done.stdout


def _copy_data(recipe: Recipe, environment: Mapping[str, str], target: Path) -> None:
    if not recipe.data:
        return
    _go(recipe, environment, "mod", "download", recipe.data_module)
    source = Path(_go(recipe, environment, "list", "-m", "-f", "{{.Dir}}", recipe.data_module).strip())
    for path in recipe.data:
        shutil.copyfile(source / path, target / Path(path).name)


def build(recipe: Recipe, environment: Mapping[str, str], final: Path) -> None:
    """Make `final` with all of `recipe` in it, or leave nothing. Raises BuildError."""
    target = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=cache_folder()))
    try:
        _go(recipe, environment, *recipe.build_line, "-o", f"{target}/", *recipe.binaries.values())
        for name, package in recipe.binaries.items():
            made = re.sub(r"/v\d+$", "", package).rpartition("/")[2]  # Go names a program without its major version
            (target / made).rename(target / name)
        _copy_data(recipe, environment, target)
        target.chmod(0o755)
        target.rename(final)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _report(recipe: Recipe, final: Path, wall: float, cpu: float) -> None:
    size = sum(file.stat().st_size for file in final.iterdir()) / 1e6
    print(f"lab: {recipe.name}: built in {wall / 60:.1f} min ({cpu / 60:.1f} CPU min), {size:.0f} MB", flush=True)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def build_missing(*, drop_go_caches: bool = False) -> None:
    """Build what the cache lacks; takes no time when all is there. Raises BuildError."""
    version = installed_go(max((recipe.oldest_go for recipe in RECIPES), key=_numbers))
    with _only_builder(), _go_caches(drop_go_caches) as environment:
        for recipe in RECIPES:
            final = built_folder(recipe, version)
            if final.is_dir():
                print(f"lab: {recipe.name}: ready", flush=True)
                continue
            print(f"lab: {recipe.name}: building {', '.join(recipe.binaries)} ...", flush=True)
            wall, cpu = time.monotonic(), _cpu_seconds()
            build(recipe, environment, final)
            _report(recipe, final, time.monotonic() - wall, _cpu_seconds() - cpu)
    print(f"lab: all servers are in {cache_folder()}")


def main(arguments: list[str]) -> int:
    """The exit code of the command line: 0 when every server is in the cache."""
    parser = argparse.ArgumentParser(prog="python -m lab.build", description="Build the lab's servers into the cache.")
    parser.add_argument(
        "--drop-go-caches",
        action="store_true",
        help="build with Go caches of their own and remove them afterwards (needs 6 GB meanwhile)",
    )
    try:
        build_missing(drop_go_caches=parser.parse_args(arguments).drop_go_caches)
    except BuildError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
