"""`python -m studio.worker`; frozen: the executable with `--worker`."""

import sys

from studio.worker.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
