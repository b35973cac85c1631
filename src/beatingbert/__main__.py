"""`python -m beatingbert`, the same as `beatingbert`."""

import sys

from beatingbert.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
