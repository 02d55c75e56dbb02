"""Assemble a Hugging Face Docker Space: the web app, its lock, and a bundle of tables and models.

python scripts/make_space.py [--data DIR | --follow URL] [--source NAME] [--out DIR]
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PUBLISHED = ("tables", "models")
"""What is published; beside it lie Dagster's databases and logs, with paths of this machine."""

DRAFTS = shutil.ignore_patterns("*.tmp", "*.lock")
LARGEST = 900 * 2**20
"""Bytes; a Space's free disk is 50 GB, its git repository is pleasant up to a gigabyte."""


def main() -> None:
    """Read the command line and assemble."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="data folder to bundle (BTC_DATA_DIR); without it: S3 or Hopsworks"
    )
    parser.add_argument(
        "--follow", default="", help="address of an archive of `btc backup`: the Space shows it as it changes"
    )
    parser.add_argument("--source", default="binance", help="BTC_SOURCE of that data; simulated is labelled")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "space", help="folder to write")
    given = parser.parse_args()
    try:
        assemble(given.out, given.data, given.source, given.follow)
    except (OSError, ValueError) as error:
        sys.exit(f"make_space: {error}")
    print(
        f"{given.out}: ready; push it with: git init && git add . && git commit && git push <Space's address>"
    )


def assemble(out: Path, data: Path | None, source: str, follow: str = "") -> None:
    """Write the Space's repository to ``out``, which is replaced.

    Raises:
        ValueError: ``data`` holds no tables, or is too large; ``follow`` is no web address, or both are
            given; or ``out`` is no folder of ours to replace.
    """
    if follow and (data is not None or not re.fullmatch(r"https?://[\w.:/?=&%~+@-]+", follow, re.ASCII)):
        raise ValueError(f"--follow {follow!r}: a plain http(s) address is needed, and no --data beside it")
    folder = None if data is None else bundled(data, source)
    if out.exists():
        if any(out.iterdir()) and not (out / "requirements.txt").is_file():
            raise ValueError(f"{out} exists and is no Space; name another with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    for name in ("README.md", "Dockerfile"):
        shutil.copy(ROOT / "deploy" / "space" / name, out / name)
    shutil.copy(ROOT / "requirements" / "image-dash.txt", out / "requirements.txt")
    for package in ("btc_assets", "btc_dash"):
        shutil.copytree(ROOT / package, out / package, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    with (out / "Dockerfile").open("a") as file:
        file.write(f"ENV BTC_SOURCE={source}\n")
        if follow:
            file.write(f"ENV BTC_FOLLOW={follow} BTC_DATA_DIR=/tmp/data BTC_WEB_PORT=7860\n")
            file.write('CMD ["python", "-m", "btc_assets.cli", "follow"]\n')
    (out / ".gitattributes").write_text("data/** filter=lfs diff=lfs merge=lfs -text\n")
    if folder is not None:
        for name in PUBLISHED:
            if (folder / name).is_dir():
                shutil.copytree(folder / name, out / "data" / folder.name / name, ignore=DRAFTS)


def bundled(data: Path, source: str) -> Path:
    """The folder of ``data`` that holds the tables and models of ``source``."""
    folder = data / ("simulated" if source == "simulated" else "real")
    if not (folder / "tables").is_dir():
        raise ValueError(
            f"{folder} holds no tables; run `btc up` or `btc backfill` first, or name another --data"
        )
    files = [file for name in PUBLISHED for file in (folder / name).rglob("*") if file.is_file()]
    total = sum(file.stat().st_size for file in files)
    if total > LARGEST:
        raise ValueError(
            f"{folder} holds {total >> 20} MiB, more than the {LARGEST >> 20} MiB a Space takes well"
        )
    return folder


if __name__ == "__main__":
    main()
