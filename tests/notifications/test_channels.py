"""Every channel against a real server on loopback: what arrives, and what a failure says."""

from __future__ import annotations

import datetime as dt
import logging
import ssl
from typing import Any

import pytest
from loopback import free_port
from smtp_server import hook, mailbox, takes_password

from btc_assets.errors import ConfigurationError, NotDelivered
from btc_assets.notifications.channels import open_channels
from btc_assets.notifications.message import Message
from btc_assets.settings import load

AT = dt.datetime(2026, 11, 22, 3, 0, tzinfo=dt.UTC)
PEOPLE = {"BTC_NOTIFY_FROM": "btc@example.org", "BTC_NOTIFY_TO": "ops@example.org, boss@example.org"}


def message(**changes: Any) -> Message:
    plain: dict[str, Any] = {
        "cause": "late candle",
        "title": "The candle of 2026-11-21 is missing",
        "text": "Look at the runs.\nAll of them.",
        "over": False,
        "symbol": "BTCUSDT",
        "simulated": False,
        "at": AT,
    }
    return Message(**plain | changes)


def send(message: Message, **environment: str) -> None:
    (channel,) = open_channels(load(environment))
    channel.send(message)


def mail_to(address: str, **more: str) -> dict[str, str]:
    return {"BTC_NOTIFY": "mail", "BTC_NOTIFY_SMTP": address, **PEOPLE, **more}


def test_a_mail_arrives_with_its_subject_and_text() -> None:
    with mailbox() as box:
        send(message(), **mail_to(box.address))
    (mail,) = box.mails
    assert mail["Subject"] == "[BTCUSDT] The candle of 2026-11-21 is missing"
    assert (mail["From"], mail["To"]) == ("btc@example.org", "ops@example.org, boss@example.org")
    assert mail.get_content().splitlines() == ["Look at the runs.", "All of them."]


def test_the_simulated_market_is_named_in_every_subject() -> None:
    with mailbox() as box:
        send(message(simulated=True, over=True), **mail_to(box.address))
    assert box.mails[0]["Subject"] == (
        "[SIMULATED market, BTCUSDT] over: The candle of 2026-11-21 is missing"
    )


def test_a_line_break_in_a_title_cannot_add_a_header() -> None:
    with mailbox() as box:
        send(message(title="a\r\nBcc: everybody@example.org\r\n\r\nx"), **mail_to(box.address))
    assert box.mails[0]["Bcc"] is None
    assert box.mails[0]["Subject"] == "[BTCUSDT] a Bcc: everybody@example.org x"


@pytest.mark.parametrize("answer", ["451 try later", "554 no"])
def test_a_server_that_refuses_is_quoted(answer: str) -> None:
    with mailbox() as box:
        box.answer = answer
        with pytest.raises(NotDelivered, match=answer):
            send(message(), **mail_to(box.address))


def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
    with pytest.raises(NotDelivered, match=f"smtp://127.0.0.1:{port}: ConnectionRefusedError"):
        send(message(), **mail_to(f"smtp://127.0.0.1:{port}"))


def test_K2_a_password_is_never_sent_without_tls_and_never_shown() -> None:
    login = {"BTC_NOTIFY_SMTP_USER": "btc", "BTC_NOTIFY_SMTP_PASSWORD": "canary-7f3a"}
    asked: list[object] = []
    server = takes_password("btc", "canary-7f3a")
    taken = server["authenticator"]
    server["authenticator"] = lambda *given: asked.append(given) or taken(*given)
    with mailbox(**server) as box, pytest.raises(NotDelivered, match="offers no TLS") as refused:
        send(message(), **mail_to(box.address, **login))
    assert asked == []
    assert "canary" not in repr(refused.value) + repr(load(mail_to(box.address, **login)))


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[str, str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with mailbox(tls_context=context) as box, pytest.raises(NotDelivered, match="CERTIFICATE_VERIFY_FAILED"):
        send(message(), **mail_to(box.address))


def test_a_password_is_sent_over_tls(certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    login = {"BTC_NOTIFY_SMTP_USER": "btc", "BTC_NOTIFY_SMTP_PASSWORD": "canary-7f3a"}
    with mailbox(tls_context=context, **takes_password("btc", "canary-7f3a")) as box:
        address = box.address.replace("127.0.0.1", "localhost")
        send(message(), **mail_to(address, **login))
        assert len(box.mails) == 1
        wrong = login | {"BTC_NOTIFY_SMTP_PASSWORD": "canary-wrong"}
        with pytest.raises(NotDelivered, match="535") as refused:
            send(message(), **mail_to(address, **wrong))
    assert "canary" not in str(refused.value)


def test_a_webhook_gets_the_message_as_json() -> None:
    with hook() as web:
        send(message(simulated=True), BTC_NOTIFY="webhook", BTC_NOTIFY_WEBHOOK=web.address)
    (post,) = web.posts
    assert post == {
        "text": "[SIMULATED market, BTCUSDT] The candle of 2026-11-21 is missing\n"
        "Look at the runs.\nAll of them.",
        "title": "The candle of 2026-11-21 is missing",
        "cause": "late candle",
        "state": "problem",
        "symbol": "BTCUSDT",
        "simulated": True,
        "at": "2026-11-22T03:00:00+00:00",
    }


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500])
def test_an_answer_that_is_no_success_is_a_failure_without_the_address(status: int) -> None:
    """K2: an incoming hook's address is as good as a password."""
    with hook() as web:
        web.status, web.location = status, "http://127.0.0.1:9/elsewhere"
        with pytest.raises(NotDelivered, match=f"webhook at 127.0.0.1: HTTP {status}") as refused:
            send(message(), BTC_NOTIFY="webhook", BTC_NOTIFY_WEBHOOK=web.address)
    assert "canary" not in str(refused.value)


def test_a_hook_that_is_not_there_is_a_failure_without_the_address() -> None:
    address = f"http://127.0.0.1:{free_port()}/canary-token"
    with pytest.raises(NotDelivered) as refused:
        send(message(), BTC_NOTIFY="webhook", BTC_NOTIFY_WEBHOOK=address)
    assert str(refused.value) == "webhook at 127.0.0.1: ConnectionError"


def test_the_log_gets_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "btc_assets.notifications.channels"):
        send(message())
    assert caplog.messages == [
        "ALARM [BTCUSDT] The candle of 2026-11-21 is missing | Look at the runs. All of them."
    ]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"BTC_NOTIFY": "male"}, "did you mean mail"),
        ({"BTC_NOTIFY": "mail"}, "mail needs BTC_NOTIFY_SMTP, BTC_NOTIFY_FROM, BTC_NOTIFY_TO"),
        ({"BTC_NOTIFY": "log, webhook"}, "webhook needs BTC_NOTIFY_WEBHOOK"),
        ({"BTC_NOTIFY_WEBHOOK": "canary"}, "BTC_NOTIFY_WEBHOOK: is not an http"),
        ({"BTC_NOTIFY_SMTP": "imap://x"}, "BTC_NOTIFY_SMTP"),
        ({"BTC_NOTIFY_TO": "a@b\nBcc: c@d"}, "BTC_NOTIFY_TO"),
    ],
)
def test_K3_a_wrong_setting_is_refused_at_start(environment: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(environment)
    assert says in str(refused.value)
    assert "canary" not in str(refused.value)
