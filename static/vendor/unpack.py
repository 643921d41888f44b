"""Unpack what is vendored: `python unpack.py FOLDER`, where FOLDER holds the tarballs that vendor.toml names.

`npm pack NAME@VERSION` makes such a tarball. Nothing here is needed to build or run MeshUI: the results are committed,
and tests/ui/test_vendor.py compares them with the hashes of vendor.toml. `--write` also writes new hashes there.
"""  # noqa: INP001 - a script beside static files, no package

from __future__ import annotations

import hashlib
import re
import sys
import tarfile
import tomllib
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
LIST = HERE / "vendor.toml"
SVG = "{http://www.w3.org/2000/svg}"


def read_member(tarball: Path, member: str) -> bytes:
    """One file of a tarball."""
    with tarfile.open(tarball) as archive:
        found = archive.extractfile(f"package/{member}")
        if found is None:
            raise SystemExit(f"{tarball.name} has no {member}")
        return found.read()


def build_sprite(tarball: Path, names: list[str]) -> bytes:
    """One SVG with a <symbol> per lucide icon; colour and width come from the page's CSS."""
    symbols = []
    for name in sorted(names):
        text = read_member(tarball, f"icons/{name}.svg").decode()
        shapes = "".join(
            re.sub(r"\s*xmlns(:\w+)?=\"[^\"]*\"", "", ElementTree.tostring(shape, encoding="unicode").strip())
            for shape in ElementTree.fromstring(text)  # noqa: S314 - a released package, pinned by its hash
        ).replace(" />", "/>")
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{shapes.replace("ns0:", "")}</symbol>')
    return ('<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n").encode()


def main() -> None:
    """Unpack every entry; stop when a result differs from its hash."""
    source = Path(sys.argv[1])
    text = LIST.read_text()
    for entry in tomllib.loads(text)["file"]:
        tarball = source / entry["tarball"]
        if "icons" in entry:
            content = build_sprite(tarball, entry["icons"])
        else:
            content = b"\n".join(read_member(tarball, member).rstrip(b"\n") for member in entry["members"])
            content = re.sub(rb"\n?//# sourceMappingURL=\S+", b"", content)
        digest = hashlib.sha256(content).hexdigest()
        if digest != entry["sha256"]:
            if "--write" not in sys.argv:
                raise SystemExit(f"{entry['path']}: sha256 is {digest}, vendor.toml says {entry['sha256']}")
            text = text.replace(entry["sha256"], digest)
        (HERE.parent / entry["path"]).write_bytes(content)
    LIST.write_text(text)


if __name__ == "__main__":
    main()
