"""`python -m overread` is the `overread` command."""

import sys

from overread.command import main

if __name__ == "__main__":
    sys.exit(main())
