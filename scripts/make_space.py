"""Assemble a Hugging Face Docker Space: the web app over a bundle or an archive, or the whole product.

python scripts/make_space.py [--data DIR | --follow URL | --whole [--published URL]]
                             [--source NAME] [--out DIR]
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
FOLLOWING = """\
ENV BTC_FOLLOW={address} BTC_DATA_DIR=/tmp/data BTC_WEB_PORT=7860
CMD ["python", "-m", "btc_assets.cli", "follow"]
"""
WHOLE = """\
ENV BTC_PUBLISHED={address} BTC_DATA_DIR=/tmp/data BTC_WEB_PORT=7860 TF_CPP_MIN_LOG_LEVEL=2 MPLCONFIGDIR=/tmp
CMD ["python", "-m", "btc_assets.cli", "up"]
"""
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
    parser.add_argument("--whole", action="store_true", help="history, fits, daily schedule and page in one")
    parser.add_argument(
        "--published", default="", help="with --whole: where states are published; it begins with the newest"
    )
    parser.add_argument("--source", default="binance", help="BTC_SOURCE of that data; simulated is labelled")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "space", help="folder to write")
    given = parser.parse_args()
    try:
        check_arguments(given)
        lock = "runtime.txt" if given.whole else "image-dash.txt"
        assemble(given.out, given.data, given.source, commands_of(given), lock)
    except (OSError, ValueError) as error:
        sys.exit(f"make_space: {error}")
    print(
        f"{given.out}: ready; push it with: git init && git add . && git commit && git push <Space's address>"
    )


def check_arguments(given: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        ValueError: says which.
    """
    if sum((given.data is not None, bool(given.follow), given.whole)) > 1 or (
        given.published and not given.whole
    ):
        raise ValueError(
            "one of --data, --follow and --whole is possible, and --published with --whole alone"
        )
    for name in ("follow", "published"):
        address = getattr(given, name)
        if address and not re.fullmatch(r"https?://[\w.:/?=&%~+@-]+", address, re.ASCII):
            raise ValueError(f"--{name} {address!r}: a plain http(s) address is needed")


def commands_of(given: argparse.Namespace) -> str:
    """Return what the Dockerfile ends with; nothing for a Space that serves a bundle."""
    if given.whole:
        return WHOLE.format(address=given.published)
    return FOLLOWING.format(address=given.follow) if given.follow else ""


def assemble(out: Path, data: Path | None, source: str, commands: str, lock: str) -> None:
    """Write the Space's repository to ``out``, which is replaced; its Dockerfile ends with ``commands``.

    ``lock`` is the file in requirements/ that lists its packages.

    Raises:
        ValueError: ``data`` holds no tables, or is too large; or ``out`` is no folder of ours to replace.
    """
    folder = None if data is None else bundled(data, source)
    if out.exists():
        if any(out.iterdir()) and not (out / "requirements.txt").is_file():
            raise ValueError(f"{out} exists and is no Space; name another with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    for name in ("README.md", "Dockerfile"):
        shutil.copy(ROOT / "deploy" / "space" / name, out / name)
    shutil.copy(ROOT / "requirements" / lock, out / "requirements.txt")
    for package in ("btc_assets", "btc_dash"):
        shutil.copytree(ROOT / package, out / package, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    with (out / "Dockerfile").open("a") as file:
        file.write(f"ENV BTC_SOURCE={source}\n{commands}")
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
