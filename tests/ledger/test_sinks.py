"""Published heads: real files, a real git repository, an S3-compatible server with object lock."""

from __future__ import annotations

import datetime as dt
import os
import resource
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import aws_in_a_thread
from table_rows import rows_of

from btc_assets.errors import ConfigurationError, LedgerError
from btc_assets.health.context import HealthContext
from btc_assets.health.finding import State
from btc_assets.health.ledger import examine_ledger
from btc_assets.ledger.publishing.authority import AuthoritySink
from btc_assets.ledger.publishing.calendars import CalendarSink
from btc_assets.ledger.publishing.git import GitSink
from btc_assets.ledger.publishing.published import HeadSink
from btc_assets.ledger.publishing.s3 import S3Sink
from btc_assets.ledger.publishing.sinks import FileSink, Sinks, missing, open_sink, read_places
from btc_assets.ledger.records import ISSUE_RECORDS, NOTHING, Head
from btc_assets.settings import load
from btc_assets.storage.delta.store import DeltaTables

AT = dt.datetime(2024, 1, 13, 0, 5, tzinfo=dt.UTC)
DAYS = dt.timedelta(days=30)


def head(seq: int, sha: str = "a", symbol: str = "BTCUSDT") -> Head:
    return Head(symbol, seq, sha * 64, AT)


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    with aws_in_a_thread() as address:
        yield address


@pytest.fixture
def s3(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch):
    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return boto3.client("s3", endpoint_url=s3_endpoint)


@pytest.fixture
def bucket(s3, request: pytest.FixtureRequest) -> str:
    name = f"ledger-{abs(hash(request.node.name)) % 10**12}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))  # No one's own git configuration counts.
    path = tmp_path / "heads.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    return path


@pytest.fixture(params=["file", "git", "s3"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> HeadSink:
    if request.param == "file":
        return FileSink(tmp_path / "elsewhere" / "heads.jsonl")
    if request.param == "git":
        return GitSink(f"file://{request.getfixturevalue('repository')}")
    bucket, endpoint = request.getfixturevalue("bucket"), request.getfixturevalue("s3_endpoint")
    return S3Sink(f"s3://{bucket}/proof", endpoint, DAYS)


def test_what_was_published_is_read_back_in_order(sink: HeadSink) -> None:
    assert sink.published("BTCUSDT") == []
    begun = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
    for item in (head(1), head(2, "b"), head(2, "c", "ETHUSDT")):
        sink.publish(item)
    found = sink.published("BTCUSDT")
    assert [(p.seq, p.record_sha256) for p in found] == [(1, "a" * 64), (2, "b" * 64)]
    assert all(begun <= p.at <= dt.datetime.now(dt.UTC) for p in found)


def test_publishing_again_changes_nothing(sink: HeadSink) -> None:
    sink.publish(head(1))
    before = sink.published("BTCUSDT")
    sink.publish(head(1))
    assert sink.published("BTCUSDT") == before


def test_another_hash_for_the_same_record_is_kept_beside_the_first(sink: HeadSink) -> None:
    sink.publish(head(1, "a"))
    sink.publish(head(1, "b"))
    assert sorted(p.record_sha256[0] for p in sink.published("BTCUSDT")) == ["a", "b"]


def test_an_object_is_locked_against_its_owner(s3, bucket: str, s3_endpoint: str) -> None:
    from botocore.exceptions import ClientError

    S3Sink(f"s3://{bucket}/proof/", s3_endpoint, DAYS).publish(head(7))
    key = f"proof/BTCUSDT/000000007-{'a' * 64}.json"
    there = s3.head_object(Bucket=bucket, Key=key)
    assert there["ObjectLockMode"] == "COMPLIANCE"
    assert there["ObjectLockRetainUntilDate"] > dt.datetime.now(dt.UTC) + DAYS - dt.timedelta(minutes=1)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key=key, VersionId=there["VersionId"])


def test_a_bucket_that_is_not_there_is_named(s3, s3_endpoint: str) -> None:
    sink = S3Sink("s3://no-such-bucket/x", s3_endpoint)
    with pytest.raises(LedgerError, match=r"published to s3://no-such-bucket/x.*needs object lock"):
        sink.publish(head(1))
    with pytest.raises(LedgerError, match="read from s3://no-such-bucket/x"):
        sink.published("BTCUSDT")


def test_an_address_without_a_bucket_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="names no bucket"):
        S3Sink("s3:///heads")


def test_each_head_is_a_commit_that_says_it(repository: Path) -> None:
    sink = GitSink(f"file://{repository}")
    sink.publish(head(1))
    sink.publish(head(2))
    log = subprocess.run(
        ["git", "log", "--format=%s"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert log.stdout.splitlines() == [f"BTCUSDT record {n}: {'a' * 64}" for n in (2, 1)]


def test_two_instances_that_push_at_once_both_land(repository: Path) -> None:
    sink = GitSink(f"file://{repository}")
    sink.publish(head(0))
    errors: list[BaseException] = []

    def run(seq: int) -> None:
        try:
            GitSink(f"file://{repository}").publish(head(seq))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(p.seq for p in sink.published("BTCUSDT")) == [0, 1, 2, 3]


def test_a_repository_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    sink = GitSink(f"https://user:canary@127.0.0.1:9/{tmp_path.name}")
    with pytest.raises(LedgerError, match=r"https://127\.0\.0\.1:9") as caught:
        sink.publish(head(1))
    assert "canary" not in str(caught.value)


def test_a_repository_that_refuses_is_named_with_what_it_said(repository: Path) -> None:
    hook = repository / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho the branch is protected >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(LedgerError, match="the branch is protected"):
        GitSink(f"file://{repository}").publish(head(1))


def test_a_line_that_is_no_head_is_named(tmp_path: Path) -> None:
    path = tmp_path / "heads.jsonl"
    FileSink(path).publish(head(1))
    path.write_bytes(path.read_bytes() + b'{"seq": 2}\n')
    with pytest.raises(LedgerError, match="line 2 is no published head"):
        FileSink(path).published("BTCUSDT")


def test_T2_a_disk_that_fills_up_leaves_no_half_line_and_publishing_goes_on(tmp_path: Path) -> None:
    """Half a line was refused ever after, also when there was room again."""
    path = tmp_path / "heads.jsonl"
    FileSink(path).publish(head(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, before[1]))
    try:
        with pytest.raises(LedgerError, match=r"could not be published to .*: No space left on device"):
            FileSink(path).publish(head(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [p.seq for p in FileSink(path).published("BTCUSDT")] == [1]
    FileSink(path).publish(head(2))
    assert [p.seq for p in FileSink(path).published("BTCUSDT")] == [1, 2]


def test_T9_what_an_editor_does_to_the_end_of_the_file_loses_no_head(tmp_path: Path) -> None:
    """Without the last line's end, the next head stood on the same line, and neither was read."""
    path = tmp_path / "heads.jsonl"
    FileSink(path).publish(head(1))
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    FileSink(path).publish(head(2))
    path.write_bytes(path.read_bytes() + b"\n\r\n")
    FileSink(path).publish(head(3))
    assert [p.seq for p in FileSink(path).published("BTCUSDT")] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_T3_what_is_no_file_is_no_sink_and_not_read(tmp_path: Path, kind: str) -> None:
    """A pipe is never read to its end, and a device has none: /dev/full took all memory there was."""
    path = {"pipe": tmp_path / "heads", "device": Path("/dev/zero"), "folder": tmp_path}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    for use in (lambda: FileSink(path).published("BTCUSDT"), lambda: FileSink(path).publish(head(1))):
        with pytest.raises(LedgerError, match=f"^BTC_LEDGER_SINK: {path} is no file"):
            use()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a path that not even root can write to")
def test_a_file_that_cannot_be_written_is_named() -> None:
    with pytest.raises(LedgerError, match=r"/proc/heads\.jsonl"):
        FileSink("/proc/heads.jsonl").publish(head(1))


def test_settings_choose_the_sink(tmp_path: Path) -> None:
    def chosen(address: str) -> HeadSink | None:
        return open_sink(load({"BTC_LEDGER_SINK": address}), DeltaTables(str(tmp_path)))

    assert chosen("") is None
    assert isinstance(chosen(str(tmp_path / "heads.jsonl")), FileSink)
    assert isinstance(chosen("git+file:///srv/heads.git"), GitSink)
    assert isinstance(chosen("s3://bucket/heads"), S3Sink)
    with pytest.raises(ConfigurationError, match="BTC_LEDGER_SINK"):
        chosen("ftp://example.org/heads")


CALENDARS = "ots+https://alice.btc.calendar.opentimestamps.org,https://finney.calendar.eternitywall.com"


def test_several_sinks_get_every_head_and_one_that_fails_is_named(tmp_path: Path, repository: Path) -> None:
    places = f"{tmp_path / 'a.jsonl'}; git+file:///nowhere/x.git; git+file://{repository}"
    sink = open_sink(load({"BTC_LEDGER_SINK": places}), DeltaTables(str(tmp_path)))
    assert isinstance(sink, Sinks)
    with pytest.raises(LedgerError, match=r"file:///nowhere/x\.git: the head could not"):
        sink.publish(head(1))
    assert [len(place.published("BTCUSDT")) for place in (sink.sinks[0], sink.sinks[2])] == [1, 1]
    good = Sinks([sink.sinks[0], sink.sinks[2]])
    assert missing(read_places(good, "BTCUSDT"), head(1)) == []
    good.sinks[0].publish(head(2, "b"))
    lacking = missing(read_places(good, "BTCUSDT"), head(2, "b"))
    assert lacking == [f"record 2 ({'b' * 64}) is not at file://{repository}"]
    assert len(good.published("BTCUSDT")) == 3


def test_the_health_checks_clone_a_repository_once(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load({"BTC_LEDGER_SINK": f"git+file://{repository}", "BTC_DATA_DIR": str(tmp_path)})
    record = {"seq": 3, "previous_sha256": NOTHING, "record_sha256": "a" * 64}
    DeltaTables(settings.root).upsert(ISSUE_RECORDS, rows_of(ISSUE_RECORDS, [record]))
    clone, clones = GitSink._clone, []

    def counted(sink: GitSink, folder: Path) -> Path:
        clones.append(folder)
        return clone(sink, folder)

    monkeypatch.setattr(GitSink, "_clone", counted)
    sink, ledger = examine_ledger(HealthContext(settings))
    assert len(clones) == 1
    assert (sink.state, ledger.state) == (State.BROKEN, State.OK)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("ots+https://a.example", "two calendars or more"),
        ("ots+https://a.example,https://a.example/", "two calendars or more"),
        ("ots+", "two calendars or more"),
        ("ots+http://a.example,https://b.example", "http://a.example is not an https:// address"),
        ("ots+https://a.example,ftp://b.example", "ftp://b.example is not an https:// address"),
        ("ots+https://me@a.example,https://b.example", "holds a user"),
        ("ots+https://a.example?x=1,https://b.example", "a query"),
        ("tsa+https://a.example", "BTC_LEDGER_TSA_ROOTS"),
        ("tsa+http://a.example", "is not an https:// address"),
        ("tsa+", "nothing is not an https:// address"),
        (f"heads.jsonl; {CALENDARS}; ftp://x.example", "is not a file, s3://"),
    ],
)
def test_an_address_that_cannot_work_is_refused_at_once(address: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match="BTC_LEDGER_SINK") as caught:
        load({"BTC_LEDGER_SINK": address})
    assert told in str(caught.value)


def test_calendars_need_no_scheme_and_loopback_no_tls(tmp_path: Path) -> None:
    tables = DeltaTables(str(tmp_path))
    sink = open_sink(load({"BTC_LEDGER_SINK": "ots+a.example, b.example/c/"}), tables)
    assert sink is not None
    assert sink.location == "ots+https://a.example,https://b.example/c"
    local = {"BTC_LEDGER_SINK": "ots+http://127.0.0.1:1,http://localhost:2"}
    assert isinstance(open_sink(load(local), tables), CalendarSink)
    signed = {"BTC_LEDGER_SINK": "tsa+https://tsa.example/tsr", "BTC_LEDGER_TSA_ROOTS": "roots.pem"}
    assert isinstance(open_sink(load(signed), tables), AuthoritySink)


@pytest.mark.parametrize("value", ["http://explorer.example/api", "https://x.example/?q", "ftp://x.example"])
def test_an_explorer_is_asked_over_tls_alone(value: str) -> None:
    with pytest.raises(ConfigurationError, match="BTC_LEDGER_HEADERS"):
        load({"BTC_LEDGER_HEADERS": value})


def push_link(repository: Path, tmp_path: Path, name: str, target: Path) -> None:
    """Put a symbolic link called ``name`` into ``repository``, as somebody hostile might."""
    clone = tmp_path / "hostile"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run([*git, "clone", "-q", str(repository), str(clone)], check=True, capture_output=True)
    (clone / name).parent.mkdir(exist_ok=True)
    (clone / name).symlink_to(target)
    for arguments in (["add", "."], ["commit", "-q", "-m", "link"], ["push", "-q", "origin", "HEAD:main"]):
        subprocess.run([*git, *arguments], cwd=clone, check=True)


@pytest.mark.parametrize("name", ["heads", "heads/BTCUSDT.jsonl"])
def test_a_link_in_the_repository_is_refused_and_nothing_behind_it_written_or_told(
    repository: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "BTCUSDT.jsonl").write_text("the canary of another file\n")
    push_link(repository, tmp_path, name, outside if name == "heads" else outside / "BTCUSDT.jsonl")
    sink = GitSink(f"file://{repository}")
    for act in (lambda: sink.publish(head(1)), lambda: sink.published("BTCUSDT")):
        with pytest.raises(LedgerError, match=f"{name} is a link .* remove it from the repository") as caught:
            act()
        assert "canary" not in str(caught.value)
    assert (outside / "BTCUSDT.jsonl").read_text() == "the canary of another file\n"
    assert [path.name for path in outside.iterdir()] == ["BTCUSDT.jsonl"]


def test_a_link_elsewhere_in_the_repository_is_not_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    push_link(repository, tmp_path, "link", tmp_path / "secret")
    sink = GitSink(f"file://{repository}")
    sink.publish(head(1))
    assert len(sink.published("BTCUSDT")) == 1
    assert (tmp_path / "secret").read_text() == "canary"


def test_a_file_of_something_else_is_refused_without_repeating_it(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a secret of mine\n")
    with pytest.raises(LedgerError, match="line 1 is no published head") as caught:
        FileSink(tmp_path / "notes").published("BTCUSDT")
    assert "secret" not in str(caught.value)
