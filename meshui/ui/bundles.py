"""Static files that a page asks for as one: each the files behind it, one after the other, as they are.

There is no build step: they are put together when the finders are asked, where whoever serves or collects finds them.
"""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.core.checks import CheckMessage

BUNDLES: Final = {
    "page.css": ("app.css", "vendor/uplot.css"),
    "page.js": ("vendor/htmx4-sse.js", "app.js", "live.js", "frame.js"),
    "plots.js": ("vendor/uplot.js", "charts.js"),
}
"""Name → what it is made of, in the order in which a page would load it. All lie in one folder, so their URLs hold."""


class BundleFinder(BaseFinder):
    """The bundles, as files of a folder that lasts as long as the process."""

    def check(self, **_: Any) -> list[CheckMessage]:
        """Nothing to set."""
        return []

    def find(self, path: str, find_all: bool = False, **_: Any) -> Any:  # noqa: FBT001, FBT002 - Django's own
        """The path of that bundle, made anew; [] for none."""
        if path not in BUNDLES:
            return []
        found = str(_made(path))
        return [found] if find_all else found

    def list(self, ignore_patterns: Iterable[str] | None = None) -> Iterator[tuple[str, FileSystemStorage]]:
        """Every bundle, made anew."""
        del ignore_patterns
        for name in BUNDLES:
            _made(name)
            yield name, FileSystemStorage(_folder())


@cache
def _folder() -> Path:
    """Gone with the process."""
    folder = tempfile.TemporaryDirectory(prefix="meshui-static-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _made(name: str) -> Path:
    """Written only where it is not what it was: nothing that is being read is cut."""
    source, path = Path(settings.STATICFILES_DIRS[0]), _folder() / name
    text = "\n".join((source / part).read_text(encoding="utf-8") for part in BUNDLES[name])
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        fresh = path.with_suffix(".fresh")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    return path
