"""`python -m multimix` is the program `multimix`."""

import sys

from multimix.lab.command_line.main import main

if __name__ == "__main__":  # worker processes import this file, and must not start the program again
    sys.exit(main())
