"""How large the page of a large report is, and how long a browser takes to open it.

27,000 suspect and 5,000 reference rows of number lists, or your own two corpora, are compared; the page is written,
and opened anew so many times by Debian's chromium, without a window, from the start of the navigation until it is
loaded and drawn: as wide as a desk and as a phone, light and dark. Wall seconds: run it where nothing else runs.

    python benchmarks/pages.py --json benchmarks/results/pages.json
    python benchmarks/pages.py SUSPECT REFERENCE
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import results

import fingerprint
from fingerprint.lab.simulated import simulated_pair
from fingerprint.report.report import Report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from browser import CHROMIUM, browser  # the browser of the tests

SUSPECT, REFERENCE = 27_000, 5_000
OPENED = 10  # times each; the median and the slowest are told
MOST_BYTES, MOST_SECONDS = 3_000_000, 2.0  # what a page may take


def compared(paths: list[str]) -> Report:
    """The report whose page is opened."""
    if paths:
        return fingerprint.detect(paths[0], paths[1])
    pair = simulated_pair(SUSPECT, design="disjoint", n_reference=REFERENCE, tilt="sparse", d_prime=0.5, rng=1)
    return fingerprint.detect(pair.suspect, pair.reference)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", metavar="FILE", help="suspect and reference; simulated without")
    results.add_json_option(parser)
    options = parser.parse_args()
    if CHROMIUM is None or len(options.corpora) not in (0, 2):
        parser.error("two corpora or none, and chromium, are needed")
    started = time.perf_counter()
    report = compared(options.corpora)
    figures: list[dict[str, object]] = []
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        begun = time.process_time()
        report.to_html(page)
        written, size = time.process_time() - begun, page.stat().st_size
        print(f"{report.rows.height:,} rows: page of {size:,} bytes, written in {written:.1f} processor seconds")
        with browser(Path(folder) / "profile") as window:
            window.open(page)  # the browser's own first start is not the page's
            for width in (1400, 390):
                for dark in (False, True):
                    taken = [window.open(page, width=width, dark=dark).seconds for _ in range(OPENED)]
                    middle, slowest = statistics.median(taken), max(taken)
                    scheme = "dark" if dark else "light"
                    print(f"{width} pixels, {scheme}: {middle:.3f} s, the slowest of {OPENED} {slowest:.3f} s")
                    longest = max(longest, slowest)
                    figures.append({"width": width, "scheme": scheme, "median": middle, "slowest": slowest})
    kept = size < MOST_BYTES and longest < MOST_SECONDS
    print(f"under {MOST_BYTES:,} bytes and {MOST_SECONDS:g} s: {'yes' if kept else 'NO'}")
    told = {"rows": report.rows.height, "bytes": size, "written": written, "opened": figures}
    results.write(options.json, told, started)
    sys.exit(not kept)


if __name__ == "__main__":
    main()
