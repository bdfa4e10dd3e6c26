"""The pictures of the README: the top of the page that `fingerprint demo` writes, as a browser shows it.

`python docs/pictures.py` makes them again (needs chromium).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURES = Path(__file__).parent / "pictures"
WIDTH, HEIGHT = 1000, 1048  # of the page: the verdict, the figures and the two pictures, without what follows
COLORS = 64  # as many as a page of text and lines needs: a third of the bytes
SCHEMES = {"light": 1, "dark": 0}  # as chromium numbers them


def main() -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("chromium is not installed")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "demo.html"
        subprocess.run([sys.executable, "-m", "fingerprint", "demo", "--quiet", "--html", str(page)], check=True)
        for scheme, number in SCHEMES.items():
            shot = Path(folder) / f"{scheme}.png"
            subprocess.run(
                [
                    browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                    f"--user-data-dir={folder}/browser", f"--blink-settings=preferredColorScheme={number}",
                    f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={shot}", page.as_uri(),
                ],
                check=True,
                capture_output=True,
            )  # fmt: skip
            with Image.open(shot) as picture:
                picture.convert("RGB").quantize(COLORS).save(PICTURES / f"report-{scheme}.png", optimize=True)


if __name__ == "__main__":
    main()
