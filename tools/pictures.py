"""Pictures of report pages for the README, taken by Chromium from a finished run.

``python tools/pictures.py RESULTS NAME=PAGE[#ANCHOR]@WIDTHxHEIGHT ...`` writes ``docs/images/NAME.png`` for each. PAGE
is a path in the folder RESULTS. The page is shown from the anchor on, without the side bar.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ASKED = re.compile(r"(?P<name>[\w-]+)=(?P<page>[^#@]+)(?:#(?P<anchor>[\w-]+))?@(?P<size>\d+x\d+)")
LARGEST = 200_000
COLOURS = 160
HIDDEN = "nav { display: none !important } .page { display: block !important }"
STYLE = f"<style>{HIDDEN} main {{ padding-top: .5rem !important }} h2 {{ margin-top: .4em !important }}</style>"


def take(browser: str, page: Path, anchor: str | None, size: str, picture: Path) -> None:
    """One picture of a page; what stands before the anchor is cut away."""
    text = page.read_text(encoding="utf-8")
    if anchor is not None:
        start, heading = text.index("<main"), text.index(f'<h2 id="{anchor}"')
        text = text[: text.index(">", start) + 1] + text[heading:]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "page.html")
        copy.write_text(text.replace("</head>", f"{STYLE}</head>"), encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--lang=en"]
        command += [f"--window-size={size.replace('x', ',')}", f"--screenshot={picture.absolute()}", copy.as_uri()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with Image.open(picture) as whole:
        few = whole.convert("RGB").quantize(COLOURS)
    few.save(picture, optimize=True)


def main(argv: list[str]) -> int:
    """Command line: the results folder, then what to take."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no browser is found ({', '.join(BROWSERS)}) - install chromium", file=sys.stderr)
        return 1
    results, asked = Path(argv[0]), argv[1:]
    for item in asked:
        match = ASKED.fullmatch(item)
        if match is None:
            print(f"{item} is not NAME=PAGE#ANCHOR@WIDTHxHEIGHT", file=sys.stderr)
            return 1
        page = results / match["page"]
        if not page.is_file():
            print(f"{page.as_posix()} does not exist - make run", file=sys.stderr)
            return 1
        picture = Path("docs", "images", f"{match['name']}.png")
        take(browser, page, match["anchor"], match["size"], picture)
        size = picture.stat().st_size
        print(f"{picture.as_posix()} {size} bytes{', too large: show less of the page' if size > LARGEST else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
