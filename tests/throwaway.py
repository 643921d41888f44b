"""`python -m tests.throwaway manage.py …`: a command of the product on an empty data folder, removed afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="meshui-") as folder:
        env = os.environ | {"MESHUI_DATA_DIR": folder}
        sys.exit(subprocess.run([sys.executable, *sys.argv[1:]], env=env, check=False).returncode)
