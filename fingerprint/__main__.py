"""`python -m fingerprint`, and the command `fingerprint`: the command line, which can be stopped at any moment."""

import os

# What `signal` is made of: that module takes as long to import as all else until `stoppable` stands guard.
from _signal import SIG_IGN, SIGINT, SIGTERM, getsignal, signal  # type: ignore[import-not-found]  # in no stub


def _end(number: int, _: object) -> None:
    os.write(2, b"fingerprint: interrupted\n" if number == SIGINT else b"fingerprint: terminated\n")
    os._exit(128 + number)


def main() -> None:
    """Run the command line of this process; always ends in `SystemExit`."""
    for number in (SIGINT, SIGTERM):
        if getsignal(number) != SIG_IGN:  # as a shell has it for what runs in its background
            signal(number, _end)
    from fingerprint.cli.stopping import stoppable

    stoppable(_run)


def _run() -> None:
    from fingerprint.cli.app import main as run  # takes a while, and may be stopped already

    run()


if __name__ == "__main__":
    main()
