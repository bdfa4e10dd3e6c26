"""`python -m fingerprint`, and the command `fingerprint`: the command line, which can be stopped at any moment."""

from fingerprint.cli.stopping import stoppable


def main() -> None:
    """Run the command line of this process; always ends in `SystemExit`."""
    stoppable(_run)


def _run() -> None:
    from fingerprint.cli.app import main as run  # takes a while, and may be stopped already

    run()


if __name__ == "__main__":
    main()
