"""Fixtures for tests against real servers; started when the first test asks, shared by all, ended with pytest.

Import the fixtures into a conftest, or name this module in `pytest_plugins` of the topmost one. Either way there is
one lab per pytest run, whichever folders ask for it.
"""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.cluster import Cluster
from lab.definitions import VARIABLE
from lab.processes import ServerError
from lab.prometheus import prometheus_folder
from lab.sessions import NAMES, Lab, session

_LAB = pytest.StashKey[Lab]()


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    """Two real clusters, `east` and `west`, with kwok and istiod each; with other meshes' kinds: lab.definitions."""
    running = _running(request.config)
    _clusters(running, list(NAMES[:2]))
    return running


@pytest.fixture(scope="session")
def lab_cluster(request: pytest.FixtureRequest) -> Cluster:
    """One real cluster of its own, `contract`."""
    return _clusters(_running(request.config), ["contract"])[0]


@pytest.fixture(scope="session")
def lab_crds() -> Path:
    """The folder of other meshes' CRDs; without it the test is skipped, and says why."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"{VARIABLE} names no folder of other meshes' CRDs")
    return Path(folder)


@pytest.fixture(scope="session")
def lab_prometheus() -> Path:
    """The folder of a real Prometheus; where it cannot be had the test is skipped, and says why."""
    try:
        return prometheus_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def _running(config: pytest.Config) -> Lab:
    """The one lab of this pytest run, empty at first; it ends when pytest does."""
    if _LAB not in config.stash:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        config.stash[_LAB] = stack.enter_context(session(clusters=0))
    return config.stash[_LAB]


def _clusters(running: Lab, names: list[str]) -> list[Cluster]:
    """The clusters called `names`, started if they are not there yet; fails with one line that says what to do."""
    known = {cluster.name for cluster in running.clusters}
    try:
        running.add_clusters([name for name in names if name not in known])
    except (FileNotFoundError, ServerError) as error:
        pytest.fail(str(error), pytrace=False)
    found = {cluster.name: cluster for cluster in running.clusters}
    return [found[name] for name in names]
