"""The fault matrix: what can go wrong, and what must happen then. Each row has tests named for its id.

``python scripts/write_reliability.py`` makes docs/reliability.md of it, of the tests, and of how they ended.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One promise: the ``fault`` and what must come of it."""

    id: str
    fault: str
    outcome: str


SEEN = "Red in Dagster, in /metrics and in `btc doctor`; one message within five minutes"

GROUPS: dict[str, list[Row]] = {
    "Source": [
        Row("S1", "The exchange's name does not resolve, or it refuses connections",
            "Retries with jitter and a deadline; nothing is written; the page says how old its data is"),
        Row("S2", "The server accepts and never answers", "Timeouts and the deadline end it"),
        Row("S3", "The server sends a byte at a time", "The deadline ends it, though no timeout would"),
        Row("S4", "The body breaks off", "Asked again"),
        Row("S5", "429, with any or no Retry-After", "A bounded wait without a call"),
        Row("S6", "418, a ban", "No call until it ends, in this process and any other"),
        Row("S7", "451, not served to this country", "No retry; names the market-data host and the archive"),
        Row("S8", "403 with a firewall's page", "A typed error"),
        Row("S9", "4xx whose JSON is not Binance's error", "A typed error"),
        Row("S10", "5xx", "Asked again, then a typed error"),
        Row("S11", "200 with a page, nothing, or an object", "Refused"),
        Row("S12", "An empty list for a day that is over", "Not published yet; nothing is overwritten"),
        Row("S13", "A redirect to another host", "Refused and not followed"),
        Row("S14", "A trading pair that does not exist", "One call, then a configuration error"),
        Row("S15", "NaN or absurdly large JSON", "Refused"),
    ],
    "Data": [
        Row("D1", "The candle of the day that still runs", "Never final"),
        Row("D2", "A candle that closed seconds ago", "Not final yet, by the server's clock"),
        Row("D3", "Times in microseconds", "The same rows as from milliseconds"),
        Row("D4", "A candle of another day or off the day's grid", "Refused"),
        Row("D5", "A day twice", "One row if equal, refused if not"),
        Row("D6", "A day without a candle", "Recorded and flagged, never invented"),
        Row("D7", "A day with an outage of the exchange", "Kept and flagged"),
        Row("D8", "A candle that cannot be true", "Refused, with the row"),
        Row("D9", "A column too few or too many", "An error that names the column"),
        Row("D10", "A price ten times the day before's", "Held until a person releases the day"),
        Row("D11", "A candle restated after the fact",
            "A new version beside the old; issued forecasts stay as they were"),
        Row("D12", "A dump with a bad checksum, a zip bomb, a path that leads out", "Refused"),
        Row("D13", "A month's dump that lacks days, is empty, or differs from a day's",
            "Lacking days come from daily dumps; an empty file and files that differ are refused by name"),
        Row("D14", "A dump of a month that runs, or of days to come",
            "The archive's clock is the newest candle of a day that is over"),
        Row("D15", "Dumps with headers, marks, blank lines, desktops' litter, other checksums, other folders",
            "Read, or refused with what to do"),
        Row("D16", "Another pair than BTCUSDT: listed later, or in a folder of another",
            "It begins at its first candle; another pair's folder is refused by name"),
    ],
    "Storage": [
        Row("T1", "kill -9 at any step of a write", "The old state or the new one, never half"),
        Row("T2", "The disk is full, or fails", "A clear error; old data stays readable"),
        Row("T3", "The folder is read-only", "A clear error; old data stays readable"),
        Row("T4", "A torn transaction log", "The last good version, and an alarm"),
        Row("T5", "One flipped bit in any stored file", "Caught by its hash before it is decoded"),
        Row("T6", "A data file is missing", "Refused, with how to rebuild"),
        Row("T7", "Several writers at once", "One row a key; nobody's other days are lost"),
        Row("T8", "The same write again", "The same row, no new version"),
        Row("T9", "What a killed process left: locks, drafts, orphans", "Recovered and swept up"),
        Row("T10", "A folder with an odd name: spaces, percent escapes, backslashes, question marks",
            "Tables work there, or the folder is refused by name; nothing is called damaged"),
        Row("T11", "A table vanishes, or gets a newer schema, while the page is open",
            "The last good page stays, says so, and the log says why, once"),
        Row("T12", "Dagster's SQLite databases are damaged, locked, or on a full or read-only disk",
            "One sentence with the remedy; what is damaged is put aside and made again from the tables"),
        Row("T13", "A backup archive made to do harm: links, foreign names, bombs, settings that run code",
            "Refused in one sentence before anything is written"),
        Row("T14", "A store that is only read, over https or in a public bucket: torn, changed, forged, gone",
            "Refused by its hashes, in one sentence; a download that broke off goes on; nothing is written"),
        Row("T15", "An archive that is followed: torn, older, rewritten, another's, its server gone",
            "Refused with both hashes; what was shown stays, marked as old when it is"),
        Row("T16", "A published state that is torn, does not verify, is another's or no state",
            "Neither begun with nor gone on from; told from a place where nothing is published yet"),
    ],
    "Runs": [
        Row("C1", "A backfill and the daily run at once", "What one of them alone would give"),
        Row("C2", "The host or the source was down for days", "Everything is caught up with, unasked"),
        Row("C3", "A candle could not be had", "No forecast that pretends to be fresh"),
        Row("C4", "A day is run again later, or within a range", "The same bytes of forecast"),
        Row("C5", "A wrong clock", "The server's time decides, or nothing is issued"),
        Row("C6", "Other time zones, change of the clocks, a leap day", "The same bytes"),
        Row("C7", "A day to come, or before the first candle", "Refused"),
        Row("C8", "Runs of the fork's daily workflow are missed, doubled, killed, or refused by the exchange",
            "Tables and records are those of so many quiet days; no state is torn, or begun twice"),
    ],
    "Models": [
        Row("M1", "Training ends in NaN", "Not promoted; the old vintage stays in force"),
        Row("M2", "A new vintage is clearly worse", "Held back; the page shows why"),
        Row("M3", "Features, scaling or code do not fit the model", "Refused"),
        Row("M4", "A truncated or swapped model, or a file that could run code", "Refused"),
        Row("M5", "The registry is down", "The last verified copy stays in use, marked so"),
        Row("M6", "Killed while tuning", "Goes on where it was"),
        Row("M7", "Too few rows", "Says how many are needed"),
        Row("M8", "Every later candle altered", "Not one byte of a forecast changes"),
    ],
    "Web": [
        Row("W1", "Days that are no whole number from 1 to 90", "A message at the field; no model is asked"),
        Row("W2", "A forged callback", "4xx without a traceback"),
        Row("W3", "Script in an input or address", "Shown as text"),
        Row("W4", "A hundred users at once", "Each gets the right answer; no error"),
        Row("W5", "No data or no model yet", "A page that says what to run"),
        Row("W6", "Security headers", "On every response"),
        Row("W7", "An oversized body, an odd method", "413, 405"),
        Row("W8", "Hundreds of clients that send a byte every few seconds",
            "408 after ten seconds; page and /health answer all the same"),
        Row("W9", "Forwarded headers without a proxy, SCRIPT_NAME, files of foreign libraries",
            "Not believed; 404 without a traceback"),
        Row("W10", "The very first requests of a fresh app, many at once", "All are answered"),
    ],
    "Proof": [
        Row("G1", "Scores, baselines or answers altered, added or removed by hand",
            "`btc verify` computes them again and names the rows"),
        Row("G2", "A store or a proof forged by someone who knows the code",
            "Refused and named, or said in the verdict"),
        Row("G3", "Any one field of a record, row, candle, manifest, head or proof changed",
            "A verifier says so, or docs/ledger.md says that it is not covered"),
        Row("G4", "The same by a second attacker, who knows the first and both verifiers",
            "Refused and named, or said in the verdict"),
    ],
    "Processes": [
        Row("P1", "`btc up` is killed, its terminal closed, or it began as a background job of a script",
            "Nothing that it started outlives it; SIGINT, SIGTERM and SIGHUP end it"),
        Row("P2", "`btc up` and what watches over it are killed at once",
            "The next start ends what they left, marks runs as failed, and heals; nothing else is touched"),
        Row("P3", "Two `btc up` on one store or one home", "The second is refused; others run side by side"),
        Row("P4", "Another web page drives Dagster through the operator's browser, or rebinds its name",
            "Refused; the UI, its websockets, and programs go on working"),
        Row("P5", "A test fails, takes too long, or its run is killed",
            "Nothing that it started is left running"),
    ],
    "Surroundings": [
        Row("E1", "A file `.env` in the working folder",
            "Graph, page and commands all go by it, or all refuse it"),
        Row("E2", "Modules of the working folder, a long TMPDIR, a terminal without Unicode, IPv6 hosts",
            "Nothing is shadowed, nothing breaks"),
        Row("E3", "Keras' own settings: `keras.json`, `KERAS_BACKEND`", "They reach no fit"),
        Row("E4", "A file system without hard links or locks", "One sentence at once; SIGTERM ends a wait"),
        Row("E5", "Addresses, proxies or bundles of certificates that cannot be right",
            "Named at once, and not tried again"),
    ],
    "Configuration": [
        Row("K1", "A blank key or one with a line break", "Names the variable, never the value"),
        Row("K2", "A secret in the environment", "In no log, repr, table or image"),
        Row("K3", "An unknown setting or a bad value", "Refused at start, with the nearest known"),
        Row("K4", "A folder that is empty, begins with ~ or is an address", "Refused by name; ~ is expanded"),
        Row("K5", "A Space is made of a data folder that holds Dagster's databases and logs",
            "It holds tables and models alone"),
    ],
    "What the operator sees": [
        Row("O1", "The source of candles is down", SEEN),
        Row("O2", "The source does not offer the day that is due", SEEN),
        Row("O3", "The clock is wrong", SEEN),
        Row("O4", "A table's log is torn: emptied, halved, altered, or put aside since", SEEN),
        Row("O5", "The disk is full", SEEN),
        Row("O6", "The ledger is behind its published head", SEEN),
        Row("O7", "A sink refuses the head", SEEN),
        Row("O8", "The model registry is gone", SEEN),
        Row("O9", "A day's forecasts are missing, for whatever reason", SEEN),
        Row("O10", "The page is dead", SEEN),
        Row("O11", "Dagster's daemon is dead", SEEN),
        Row("O12", "Dagster cannot load the code location", SEEN),
        Row("O13", "A healthy week", "No message, no red check"),
    ],
    "Lambda": [
        Row("L1", "The same event three times", "One row, one run"),
        Row("L2", "Time nearly out", "A clean stop; nothing half-written"),
        Row("L3", "A late event", "The day is the event's, not the clock's"),
        Row("L4", "A garbage event", "Fails, so that the dead-letter queue has it"),
        Row("L5", "Every retry spent", "An alarm; the next run heals"),
    ],
}  # fmt: skip

YEAR = """\
`tests/faults/test_soak.py` runs simulated days one by one through the schedule, the sensor and the daily
job, and disturbs them at random; in the end every table must equal that of an undisturbed run. `make
test-faults` does forty days. A whole year (`SOAK_DAYS=365 make test-faults ARGS=tests/faults/test_soak.py`,
seed 1) was last run on 2026-11-24, in 49 minutes on two busy cores: 62 kills at work and 93 between two
pieces of work, 58 full disks, 108 faults of the exchange, 34 days of the host down, 257 processes in six
time zones. All tables and records were those of the undisturbed year, `btc verify` found all well, and no
orphan was left in the store; tables took 178 MB with every version."""
"""What the long soak did when it was last run as a whole."""

ROWS: list[Row] = [row for rows in GROUPS.values() for row in rows]
