from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import brotli
import pytest
from flask.testing import FlaskClient

from btc_dash.server import plotly_js


def test_the_bundle_is_the_one_that_was_put_there() -> None:
    assert hashlib.sha256(plotly_js.script()).hexdigest() == plotly_js.SHA256
    assert f"plotly.js (finance - minified) v{plotly_js.VERSION}".encode() in plotly_js.script()[:200]


def test_a_damaged_bundle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "plotly.js.br"
    other.write_bytes(brotli.compress(b"alert(1)"))
    monkeypatch.setattr(plotly_js, "FILE", other)
    with pytest.raises(RuntimeError, match="install btc-assets again"):
        plotly_js.script.__wrapped__()


@pytest.mark.parametrize(("accepts", "encoding"), [("br, gzip", "br"), ("gzip", "gzip"), ("identity", None)])
def test_each_client_gets_the_encoding_it_understands(
    client: FlaskClient, accepts: str, encoding: str | None
) -> None:
    response = client.get(plotly_js.ADDRESS, headers={"Accept-Encoding": accepts})
    assert response.headers.get("Content-Encoding") == encoding
    decode = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding]
    assert decode(response.data) == plotly_js.script()
    again = client.get(
        plotly_js.ADDRESS, headers={"Accept-Encoding": accepts, "If-None-Match": response.headers["ETag"]}
    )
    assert again.status_code == 304


def test_dash_s_own_bundle_is_nowhere_on_the_page(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    assert page.count("plotly.min.js") == 1
    assert "cdn.plot.ly" not in page
    assert "dash_table/bundle" not in page
