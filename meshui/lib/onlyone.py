"""SQLite has one process: the first one holds a lock file beside the database until it ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from meshui.lib.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_process_on(database: Path) -> Iterator[None]:
    """Hold `database` for this process; UnavailableError, with the holder's pid, if another one has it."""
    lock = database.with_name(f"{database.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnavailableError(
                f"MeshUI already runs on {database} (process {file.read().strip() or 'unknown'}).",
                mend="Stop that one, choose another folder with MESHUI_DATA_DIR, or use PostgreSQL for more.",
            ) from error
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
