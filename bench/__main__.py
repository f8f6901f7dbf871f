"""All benchmarks, one after the other: `python -m bench [--quick]`."""

from __future__ import annotations

import subprocess
import sys

NAMES = ("engine", "http", "sweep")


def main() -> int:
    """Run each in a process of its own; the worst exit status."""
    return max(subprocess.call([sys.executable, "-m", f"bench.{name}", *sys.argv[1:]]) for name in NAMES)


if __name__ == "__main__":
    sys.exit(main())
