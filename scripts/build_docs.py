"""Gather the pages of the documentation site, with one page of reference for every room of the code.

``make docs`` runs this and then zensical. README, changelog and the rest stay where people look for them;
here they become pages, their links follow, and what lies outside the site is linked in the repository.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/btc-assets/btc-assets/blob/main/"
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
}
PACKAGES = ("btc_assets", "btc_dash", "lambda_image")
LINK = re.compile(r"(\]\()([^)\s#]*)((?:#[^)\s]*)?(?:\s[^)]*)?\))")


def main(target: Path) -> None:
    """Write ``zensical.toml`` and the folder ``docs-source``, which is replaced, into ``target``."""
    pages = target / "docs-source"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages, ignore=shutil.ignore_patterns("*.md"))
    written = {
        page: relinked((ROOT / source).read_text(), source) for source, page in site_settings().items()
    }
    for page, text in (written | reference()).items():
        (pages / page).parent.mkdir(parents=True, exist_ok=True)
        (pages / page).write_text(text)
    (target / "zensical.toml").write_text(configuration())


def site_settings() -> dict[str, str]:
    """Return the page of every Markdown file that has one, both as paths from their root."""
    documents = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    return PAGES | {name: name.removeprefix("docs/") for name in documents}


def relinked(text: str, source: str) -> str:
    """Return a page's text with the links of ``source`` as they are from its place in the site."""

    def link(match: re.Match[str]) -> str:
        before, address, after = match.groups()
        if not address or ":" in address:
            return match[0]
        return before + _moved(source, address) + after

    return LINK.sub(link, text)


def _moved(source: str, address: str) -> str:
    pages = site_settings()
    path = (ROOT / source).parent.joinpath(address).resolve()
    target = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else address
    if target in pages or (target.startswith("docs/") and path.is_file()):
        place = pages.get(target, target.removeprefix("docs/"))
        return _relative(PurePosixPath(pages[source]).parent, place)
    return REPOSITORY + target if path.exists() else address


def _relative(start: PurePosixPath, place: str) -> str:
    return "../" * len(start.parts) + place


def reference() -> dict[str, str]:
    """Return a page for every module and room directly below a package, by its path in the site."""
    pages = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).iterdir()):
            modules = [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
            names = [name for name in map(_module, modules) if not name.endswith("__main__")]
            if names:
                pages[f"code/{names[0]}.md"] = (
                    "\n\n".join([f"# {names[0]}", *map("::: {}".format, names)]) + "\n"
                )
    return pages


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def configuration() -> str:
    """Return zensical.toml, with the decisions and the pages of the code in its navigation."""
    records = sorted(page for page in site_settings().values() if page.startswith("decisions/0"))
    decisions = ["decisions/README.md", *records]
    text = (ROOT / "zensical.toml").read_text().replace('paths = ["."]', f'paths = ["{ROOT}"]')
    text = text.replace('{ "Decisions" = [] }', f'{{ "Decisions" = {_listed(decisions)} }}')
    return text.replace('{ "Code" = [] }', f'{{ "Code" = {_listed(sorted(reference()))} }}')


def _listed(pages: list[str]) -> str:
    return "[" + ", ".join(f'"{page}"' for page in pages) + "]"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
