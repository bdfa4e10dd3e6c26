"""`python -m fingerprint`: the command line."""

from fingerprint.cli.app import main

if __name__ == "__main__":
    main()
