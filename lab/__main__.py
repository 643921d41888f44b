"""`python -m lab up`: real clusters for people to try MeshUI on, until Ctrl-C."""

import argparse
import signal
import sys
from pathlib import Path

from lab.processes import ServerError
from lab.samples import deploy_shop
from lab.sessions import NAMES, Lab, session


def main(arguments: list[str]) -> int:
    """The exit code of the command line."""
    parser = argparse.ArgumentParser(prog="python -m lab", description="Run real Kubernetes clusters with Istio.")
    up = parser.add_subparsers(required=True).add_parser("up", help="start clusters and keep them until Ctrl-C")
    up.add_argument("--clusters", type=int, default=2, choices=range(1, len(NAMES) + 1))
    up.add_argument("--kubeconfigs", type=Path, default=Path("lab-kubeconfigs"), help="the folder they are written to")
    wanted = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have told us to ignore the first
        signal.signal(number, signal.default_int_handler)
    try:
        with session(clusters=wanted.clusters) as lab:
            _show(lab, wanted.kubeconfigs)
            signal.pause()
    except KeyboardInterrupt:
        print("\nlab: stopped")
    except (FileNotFoundError, ServerError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


def _show(lab: Lab, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for cluster in lab.clusters:
        deploy_shop(cluster)
        file = folder / f"{cluster.name}.kubeconfig"
        file.touch(mode=0o600)
        file.write_text(cluster.admin_kubeconfig())
        print(f"lab: {cluster.name} at {cluster.url}, administrator's kubeconfig in {file}", flush=True)
    print("lab: running; Ctrl-C ends it", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
