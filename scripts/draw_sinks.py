"""Draw docs/pictures/sinks.svg: what each place where heads are published proves, and by whose clock."""

from __future__ import annotations

from html import escape
from pathlib import Path

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "sinks.svg"

YES, PARTLY, NO = "yes", "partly", "no"
COLUMNS = (
    ("Where the head goes", 24),
    ("Finds a chain that was\nwritten anew, or cut short", 232),
    ("Says when, without\nthe operator's word", 458),
    ("How exact", 702),
    ("Checked with", 790),
)
ROWS: tuple[tuple[str, tuple[str, str], tuple[str, str], str, str], ...] = (
    ("nowhere", (NO, "nothing does"), (NO, "the operator's own word"), "", ""),
    ("a file", (PARTLY, "if out of the writer's reach"), (NO, "the operator's own word"), "", "btc verify"),
    ("a git repository", (YES, "everyone who has pulled"), (NO, "the operator's own word"), "", "btc verify"),
    ("S3 with object lock", (YES, "locked for years"), (YES, "Amazon's clock"), "seconds", "btc verify"),
    (
        "RFC 3161 authority",
        (NO, "its proof can be dropped"),
        (YES, "the authority's key"),
        "seconds",
        "btc verify; openssl",
    ),
    (
        "OpenTimestamps",
        (NO, "its proof can be dropped"),
        (YES, "a Bitcoin block: nobody's word"),
        "2 hours",
        "btc verify; verify_proof.py; ots",
    ),
    (
        "your own note of a head",
        (YES, "up to that head"),
        (YES, "you were there"),
        "",
        "verify_proof.py HASH",
    ),
)
WIDTH, TOP, STEP = 1040, 78, 44
FILLS = {YES: "#0a7a4b", PARTLY: "#e3b341", NO: "#ffffff"}


def _text(x: int, y: int, words: str, style: str = "") -> str:
    lines = words.split("\n")
    spans = "".join(
        f'<tspan x="{x}" dy="{18 * (n > 0)}">{escape(line)}</tspan>' for n, line in enumerate(lines)
    )
    return f'<text x="{x}" y="{y}"{style}>{spans}</text>'


def _draw_answer(x: int, y: int, answer: tuple[str, str]) -> str:
    kind, words = answer
    circle = (
        f'<circle cx="{x + 7}" cy="{y - 5}" r="7" fill="{FILLS[kind]}" stroke="#57606a"><title>{kind}</title>'
    )
    return f"{circle}</circle>{_text(x + 22, y, words)}"


def draw() -> str:
    """Return the picture as SVG."""
    height = TOP + STEP * len(ROWS) + 44
    bold = ' font-weight="600"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-size="13.5" '
        'font-family="system-ui, sans-serif" fill="#1f2328" role="img">',
        "<title>What each sink of the ledger proves</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *(_text(x, 32, name, bold) for name, x in COLUMNS),
    ]
    for number, (name, found, dated, exact, checked) in enumerate(ROWS):
        y = TOP + STEP * number
        parts.append(f'<path d="M16 {y - 10}H{WIDTH - 16}" stroke="#d0d7de"/>')
        parts.append(_text(COLUMNS[0][1], y + 17, name, bold))
        parts += [_draw_answer(COLUMNS[1][1], y + 17, found), _draw_answer(COLUMNS[2][1], y + 17, dated)]
        parts += [_text(COLUMNS[3][1], y + 17, exact), _text(COLUMNS[4][1], y + 17, checked)]
    said = (
        "Filled: yes. Yellow: it depends. Empty: no. Two sinks at once prove both: what was issued, and when."
    )
    parts += [_text(24, height - 18, said, ' fill="#57606a"'), "</svg>"]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw())
