"""`fingerprint detect` on whole files: AUROC of bags, seconds, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAG, BAG_AUC, SECONDS, GIGABYTES = 16, 0.88, 90.0, 2.0  # asked of --all-rows


def all_rows(suspect: Path, reference: Path) -> dict[str, float | bool | None]:
    """`fingerprint detect` on both files in a process of its own: bags, wall seconds, peak resident memory."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "fingerprint", "detect", str(suspect), str(reference), "--quiet"]
        start = time.perf_counter()
        process = subprocess.Popen([*command, "--json", str(report), "--html", str(report.with_suffix(".html"))])
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f"fingerprint detect must run, got exit code {process.returncode}; see above")
        bags = json.loads(report.read_text(encoding="utf-8"))["bags"]
    auc = next(bag["auc"]["value"] for bag in bags if bag["k"] == BAG)
    gigabytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    met = auc is not None and auc >= BAG_AUC and seconds < SECONDS and gigabytes < GIGABYTES
    print(f"\nAll rows: fingerprint detect {suspect.name} {reference.name}, everything in the report, JSON and HTML\n")
    for name, value, asked in (
        (f"AUROC of bags of {BAG}", "none" if auc is None else f"{auc:.3f}", f"at least {BAG_AUC:g}"),
        ("wall seconds, start included", f"{seconds:.1f}", f"under {SECONDS:g}"),
        ("peak memory, GB", f"{gigabytes:.2f}", f"under {GIGABYTES:g}"),
    ):
        print(f"{name:<32}{value:>8}   asked: {asked}")
    return {"bag_auc": auc, "seconds": seconds, "gigabytes": gigabytes, "met": met}
