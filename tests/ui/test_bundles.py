"""Files that a page asks for as one: what is in them, and that whoever collects finds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

from meshui.ui.bundles import BUNDLES, BundleFinder

STATIC = Path(__file__).resolve().parents[2] / "static"


@pytest.mark.parametrize("name", BUNDLES)
def test_bundle__of_every_page__is_its_files_in_their_order(name: str) -> None:
    found = Path(str(finders.find(name))).read_text(encoding="utf-8")

    for part in BUNDLES[name]:
        text = (STATIC / part).read_text(encoding="utf-8")
        before, _, found = found.partition(text)
        assert before.strip() == "", part
    assert found == ""


def test_bundle__a_part_changed__is_made_anew(tmp_path: Path, settings: Any) -> None:
    settings.STATICFILES_DIRS = [tmp_path]
    (tmp_path / "vendor").mkdir()
    told = []
    for text in ("one", "two"):
        for part in BUNDLES["plots.js"]:
            (tmp_path / part).write_text(text)
        told.append(Path(BundleFinder().find("plots.js")).read_text())

    assert told == ["one\none", "two\ntwo"]


def test_bundles__collected__lie_beside_what_they_are_made_of(tmp_path: Path, settings: Any) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    call_command("collectstatic", interactive=False, verbosity=0)

    assert {name for name in BUNDLES if (tmp_path / name).is_file()} == set(BUNDLES)
    assert len(list(tmp_path.glob("page.*.css"))) == 1


def test_bundle__of_another_name__is_not_found() -> None:
    assert BundleFinder().find("pages.js") == []
