"""The program `l1-parity`, which is `python -m comparisons`."""

import sys

from l1_parity.own_packages import load


def main() -> int:
    """Run a command; a project that hides this package's modules is one line on stderr and exit status 2."""
    try:
        program = load("comparisons.__main__")
    except KeyboardInterrupt:
        return 130
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr or sys.stdout)
        return 2
    return program.main("l1-parity")


if __name__ == "__main__":
    sys.exit(main())
