"""`yizhan server`: run headquarters, and fill it from the command line, also while it runs."""

import sys

from server.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
