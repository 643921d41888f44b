"""What every test may ask for; which database and folder they run on stands in tests/environment.py."""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
import redis
from django.apps import apps
from django.conf import settings as django_settings
from django.db import connections
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from zeal import zeal_context, zeal_ignore
from zeal.constants import initialize_app_registry
from zeal.patch import patch as watch_for_repeated_queries

from meshui.lib import clock
from meshui.lib.queue import drain
from playground import south, worlds
from playground.cluster import EmulatedCluster
from tests.audit.ledger_fixture import _ledger_anew  # noqa: F401 - a fixture: the ledger anew after what commits
from tests.bell import ring_by
from tests.environment import data_dir
from tests.people import make_person
from tests.query_counts import QueryCounts
from tests.servers import Process, ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from playwright.sync_api import Browser
    from pytest_django import Settings

    from accounts.models import User
    from playground.apiserver.jsontypes import Json

hypothesis_settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("suite")  # how busy the machine is decides nothing


def is_postgres() -> bool:
    """Whether this run is the one on PostgreSQL (MESHUI_TEST_DATABASE=postgres)."""
    return os.environ.get("MESHUI_TEST_DATABASE") == "postgres"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`services` tests run only beside real servers; what commits is marked `commits` and runs on both databases."""
    skip = pytest.mark.skip(reason="needs PostgreSQL and Valkey: MESHUI_TEST_DATABASE=postgres")
    for item in items:
        if item.get_closest_marker("services") and not is_postgres():
            item.add_marker(skip)
        fixtures = getattr(item, "fixturenames", ())
        marker = item.get_closest_marker("django_db")
        if "transactional_db" in fixtures or (marker is not None and marker.kwargs.get("transaction")):
            item.add_marker(pytest.mark.commits)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With MESHUI_TEST_RUNS=20 each row of the failure matrix runs twenty times (`make matrix`)."""
    runs = int(os.environ.get("MESHUI_TEST_RUNS", "1"))
    if runs > 1 and metafunc.function.__name__.startswith("test_row"):
        metafunc.fixturenames.append("run_number")
        metafunc.parametrize("run_number", range(1, runs + 1))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """SQLite: the file that subprocesses find too, without fsync. PostgreSQL: as pytest-django has it."""
    settings = connections["default"].settings_dict
    if connections["default"].vendor == "sqlite":
        settings["TEST"]["NAME"] = str(data_dir() / "meshui.sqlite3")
        settings["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"


@pytest.fixture(scope="session")
def watched_models() -> None:
    """django-zeal's patch of Django; pure modules are tested without Django too (`-p no:django`)."""
    if apps.ready:
        initialize_app_registry()
        watch_for_repeated_queries()


@pytest.fixture(autouse=True)
def repeated_queries(watched_models: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """A query that is sent once per row of a list fails the test (django-zeal).

    Not in tests that commit: they walk through many verbs, each of which may read the same row again.
    """
    if request.node.get_closest_marker("commits"):
        yield
        return
    with zeal_context():
        yield


@pytest.fixture(autouse=True)
def still_state() -> Iterator[None]:
    """No test leaves a moved clock or a rung bell to the next."""
    yield
    clock.shift_for_tests(dt.timedelta())
    discard_rung()


@pytest.fixture
def one_by_one() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted by themselves."""
    with zeal_ignore():
        yield


@pytest.fixture
def mid_minute() -> None:
    """The test begins at second 20 of a minute: none of 60 s ends between its points and what is read of them.

    For all of a module: `pytest.mark.usefixtures("mid_minute")`. Who moves the clock on adds to what it is moved by.
    """
    clock.shift_for_tests(dt.timedelta(seconds=(80 - time.time() % 60) % 60))


@pytest.fixture(autouse=True)
def no_network_in_transactions(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """No connection to anywhere is opened while a transaction is open: others would wait for its locks."""
    if not apps.ready:
        yield []
        return
    from tests.no_network import watch_sockets  # noqa: PLC0415 - pure modules are tested without Django, too

    found = watch_sockets(monkeypatch)
    yield found
    assert found == [], found[0]


@pytest.fixture(autouse=True)
def no_connection_left() -> Iterator[None]:
    """No test leaves pools to clusters of its own behind: a process may have a thousand open files."""
    yield
    if apps.ready:
        from clusters.connect import forget_all  # noqa: PLC0415 - pure modules are tested without Django, too

        forget_all()


def discard_rung() -> None:
    """Forget what was rung and not run."""
    from meshui.lib import queue  # noqa: PLC0415 - the module, not the name: its queue is private

    while not queue._messages.empty():
        queue._messages.get_nowait()


@pytest.fixture
def run_rung() -> Callable[[], int]:
    """Run all tasks that were rung, in this thread, as the embedded worker would; how many."""
    return drain


@pytest.fixture
def count_queries() -> Callable[[str], AbstractContextManager[None]]:
    """`with count_queries("fleet-page"): …` holds the block to the count committed in tests/query_counts.json."""
    return QueryCounts().hold


@pytest.fixture
def product_environment(transactional_db: None) -> dict[str, str]:
    """Environment for processes of the product that share this test's database, key files and folder."""
    env = dict(os.environ)
    settings = connections["default"].settings_dict
    if connections["default"].vendor == "postgresql":
        host, port = settings["HOST"], settings["PORT"]
        env["MESHUI_DATABASE_URL"] = f"postgresql://{settings['USER']}@{host}:{port}/{settings['NAME']}"
    env["MESHUI_BROKER_URL"] = django_settings.BROKER_URL
    env["DJANGO_SETTINGS_MODULE"] = "meshui.settings"
    return env


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A Valkey with a password, one per test process."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    yield server
    server.stop()


@pytest.fixture
def valkey_of_its_own(tmp_path: Path) -> Iterator[Callable[[], ValkeyServer]]:
    """Starts a Valkey that a test may end and start again; mark the test `services`."""
    running: list[ValkeyServer] = []

    def start() -> ValkeyServer:
        running.append(ValkeyServer(tmp_path))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def broker(valkey: ValkeyServer, settings: Settings) -> Iterator[str]:
    """The doorbell is Celery over Valkey, in this process and in those started with `product_environment`; its URL."""
    settings.BROKER_URL = valkey.url
    ring_by(valkey.url)
    with closing(redis.Redis.from_url(valkey.url)) as client:
        client.flushall()
    yield valkey.url
    ring_by(None)


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """`person("maria", ["author"], scope={"environment": ["staging"]})` makes a user by the product's verbs."""
    return make_person


@pytest.fixture
def author(db: None) -> User:
    """Author and Executor, everywhere."""
    return make_person("author")


@pytest.fixture
def approver(db: None) -> User:
    """Approver, everywhere."""
    return make_person("approver")


@pytest.fixture
def viewer(db: None) -> User:
    """Viewer, everywhere."""
    return make_person("viewer")


@pytest.fixture
def admin(db: None) -> User:
    """Cluster, Access and Policy admin, and Auditor."""
    return make_person("admin")


@pytest.fixture
def stranger(db: None) -> User:
    """Somebody without any grant."""
    return make_person("stranger")


@pytest.fixture
def emulate() -> Iterator[Callable[..., EmulatedCluster]]:
    """`emulate("eu-west", worlds.eu_west())` starts an emulated cluster, loads it and waits until it is still.

    `istio=False, linkerd=True` makes one of Linkerd.
    """
    with ExitStack() as running:

        def start(name: str, objects: Iterable[Json] = (), **meshes: bool) -> EmulatedCluster:
            cluster = running.enter_context(EmulatedCluster(name, **meshes))
            cluster.load(objects)
            cluster.settle()
            return cluster

        yield start


@pytest.fixture
def eu_west(emulate: Callable[..., EmulatedCluster]) -> EmulatedCluster:
    """The first cluster of the playground: shop/checkout splits 90/10."""
    return emulate("eu-west", worlds.eu_west())


@pytest.fixture
def us_east(emulate: Callable[..., EmulatedCluster]) -> EmulatedCluster:
    """The second: the same shop, written by another hand (9/1, full host names, a rule before)."""
    return emulate("us-east", worlds.us_east())


@pytest.fixture
def ap_south(emulate: Callable[..., EmulatedCluster]) -> EmulatedCluster:
    """The third, with Linkerd: the same shop, a Service for each version."""
    return emulate("ap-south", south.ap_south(), istio=False, linkerd=True)


class CeleryWorkers:
    """Starts workers and beat as processes of the product; ends all at the end of the test."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self._env = env
        self._folder = folder
        self._running: list[Process] = []

    def start_worker(self, **env: str) -> Process:
        """A ready worker for all queues; `env` arms crash points and the like."""
        name = f"worker{len(self._running)}"
        options = [
            "-P",
            "threads",
            "-c",
            "4",
            "-Q",
            "discover,apply,default",
            "-n",
            f"{name}@localhost",
            "--without-gossip",
        ]
        worker = self._start(name, ["worker", "-l", "INFO", *options], env)
        worker.wait_for_output("ready.", seconds=60)
        return worker

    def start_beat(self) -> Process:
        """Beat, which rings the periodic table."""
        schedule = str(self._folder / "beat")
        beat = self._start("beat", ["beat", "-l", "INFO", "-s", schedule, "--pidfile="], {})
        beat.wait_for_output("beat: Starting", seconds=60)
        return beat

    def stop(self) -> None:
        """Kill them all: nothing may depend on a goodbye."""
        while self._running:
            self._running.pop().kill()

    def _start(self, name: str, arguments: list[str], env: dict[str, str]) -> Process:
        command = [sys.executable, "-m", "celery", "-A", "meshui", *arguments]
        process = Process(command, log=self._folder / f"{name}.log", env=self._env | env)
        self._running.append(process)
        return process


@pytest.fixture
def celery_workers(broker: str, product_environment: dict[str, str], tmp_path: Path) -> Iterator[CeleryWorkers]:
    """Celery as in production: `start_worker()`, `start_beat()`; mark the test `services`."""
    workers = CeleryWorkers(product_environment | {"MESHUI_BROKER_URL": broker}, tmp_path)
    yield workers
    workers.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium that `make test` found or installed: one a process, which can hold no second loop."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - for those alone that look at pages

    from tests.chromium import installed_chromium, playwright_chromium  # noqa: PLC0415 - as above

    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    # Playwright runs a loop in this thread; the ORM calls of tests are not inside it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        path = installed_chromium() or playwright_chromium()
        made = playwright.chromium.launch(executable_path=path, args=sandbox)
        yield made
        made.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
