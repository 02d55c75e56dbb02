"""The values that a setting can have: names, folders, addresses, hosts; each refused in a few words."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from btc_assets.vocabulary import SOURCES, STORES, VOLATILITY_SOURCES


def check_known(value: str, known: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``known``, else refuse it and name the nearest."""
    if value in known:
        return value
    near = difflib.get_close_matches(value, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    raise ValueError(f"is unknown; {hint}")


def split(text: str, by: str = ",") -> list[str]:
    """Split a list with commas, or with ``by``; repeated parts count once."""
    return list(dict.fromkeys(part.strip() for part in text.split(by) if part.strip()))


def expand_home(path: str) -> str:
    """Return ``path`` with the home folder in the place of a leading ``~`` or ``~user``."""
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise ValueError(f"{path} begins with a home folder that this machine does not know") from None


def absolute(path: str) -> str:
    """Return ``path`` as an absolute one, and an address as it is."""
    return path if not path or "://" in path else str(Path(path).absolute())


def in_url(host: str) -> str:
    """Return ``host`` as it is written in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def calendars_of(text: str) -> list[str]:
    """Return the addresses of calendars in a list with commas, ``https://`` where one has no scheme.

    Raises:
        ValueError: one is no address that a hash may be sent to.
    """
    parts = [part if "://" in part else f"https://{part}" for part in split(text)]
    return [private_address(part.rstrip("/")) for part in parts]


def private_address(address: str) -> str:
    """Check ``address``: https, or http on this machine, without a user, a query or odd characters."""
    parts = urlsplit(address)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or not (parts.scheme == "https" or here):
        said = address or "nothing"
        raise ValueError(f"{said} is not an https:// address (http:// is for this machine alone)")
    if parts.query or parts.fragment or "@" in parts.netloc or not re.fullmatch(r"[!-~]+", address):
        raise ValueError(f"{address} holds a user, a query, a fragment or an odd character")
    return address


def is_empty(value: object) -> bool:
    """Return whether a value, which may be a secret, is empty."""
    return not (value.get_secret_value() if isinstance(value, SecretStr) else value)


def without_user(text: str) -> str:
    """Return ``text`` with the user names and passwords of the addresses in it left out.

    Examples:
        >>> without_user("https://me@example.org/x")
        'https://...@example.org/x'
    """
    return re.sub(r"(?<=://)[^/\s]*@", "...@", text)


def _at_home(value: object) -> object:
    return expand_home(os.fspath(value)) if isinstance(value, str | os.PathLike) else value


def _named(value: object) -> object:
    if not str(value).strip():
        raise ValueError("is empty; name a folder, or leave the variable unset")
    return value


def _address(*schemes: str, folder: bool = False, empty: bool = False, base: bool = False) -> AfterValidator:
    """Build the check of an address that could be reached, or of a ``folder``; without a trailing slash.

    To a ``base`` paths are added, so that it can have neither a query nor a user.
    """

    def check(value: str) -> str:
        if any(c in value for c in "\n\r\0"):
            raise ValueError("holds a line break or a null byte")
        if _SCHEME.match(value) is None and (folder or (empty and not value)):
            return value.rstrip("/") or value[:1]
        scheme, mark, rest = value.partition("://")
        asked = rest if scheme != "s3" else rest.partition("/")[0]  # a key may hold blanks
        if not mark or scheme not in schemes or not is_reachable(f"//{asked}"):
            raise ValueError(f"is no {' or '.join(f'{name}://' for name in schemes)} address")
        if base and (found := re.search("[?#@]", rest)):
            raise ValueError(f"holds {found[0]!r}; it is the beginning of addresses, without user or query")
        return value.rstrip("/")

    return AfterValidator(check)


def is_reachable(address: str) -> bool:
    """Tell whether ``address`` names a host, and a port if any, without blanks."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    labels = host.rstrip(".").split(".")
    plain = address.isprintable() and " " not in address
    return plain and all(0 < len(label) < 64 for label in labels) and port != 0


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""How an address begins, or one that lacks a slash; a folder is hardly called so."""


def _on_this_machine(value: str) -> str:
    if "\0" in value or "\n" in value or _SCHEME.match(value):
        raise ValueError("is no path on this machine")
    return value


def _folder_bucket_or_web(value: str) -> str:
    if "://" in value and not value.startswith(("s3://", "https://", "http://")):
        raise ValueError("is neither a folder nor an s3:// or https:// address")
    return private_address(value) if value.startswith("http") and "://" in value else value


def _no_link_to_nothing(value: str) -> str:
    """Refuse a folder whose disk is not mounted: another store would begin in its place."""
    path = Path(value).absolute()
    for link in (path, *path.parents) if "://" not in value else ():
        if os.path.islink(link) and not os.path.exists(link):  # noqa: PTH110, PTH114 - they raise nothing
            there = f"{link}, a link to {link.readlink()}, which is not there"
            raise ValueError(f"leads over {there}; mount its disk, or make that folder")
    return value


def _file_or_explorer(value: str) -> str:
    return private_address(value) if "://" in value else value


def _host(value: str) -> str:
    """Take an IPv6 address with or without the brackets that it has in a URL."""
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if not _is_host(bare):
        port = "; a port is a setting of its own" if re.search(r"[^:]:[0-9]+$", bare) else ""
        raise ValueError(f"is no IP address and no name of a host{port}")
    return bare


def _is_host(text: str) -> bool:
    try:
        if text.count(":") > 1:
            ipaddress.IPv6Address(text)
        elif re.fullmatch(r"[0-9.]+", text):
            socket.inet_aton(text)
        else:
            return _NAME.fullmatch(text) is not None
    except (ValueError, OSError):
        return False
    return True


_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9_]([A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?")


def _hosts(value: str) -> str:
    for name in split(value):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name} is not the name of a host alone, without scheme, port or *")
    return value


def _host_and_port(value: str) -> str:
    if value and not (re.fullmatch(r"[A-Za-z0-9._:\[\]-]+", value) and is_reachable(f"//{value}")):
        raise ValueError("is not host or host:port, without https://")
    return value


def _pair(value: str) -> str:
    if not re.fullmatch(r"[A-Z0-9]{5,20}", value):
        meant = re.sub("[^A-Z0-9]", "", value.upper())
        hint = f"did you mean {meant}?" if 5 <= len(meant) <= 20 else "write it as BTCUSDT"
        raise ValueError(f"is not a trading pair, 5 to 20 capital letters or digits; {hint}")
    return value


def _mail_server(value: str) -> str:
    if value and not (re.fullmatch(r"smtps?://[^\s/@]+", value) and is_reachable(value)):
        raise ValueError("is not smtp://host:587 or smtps://host:465")
    return value


def _recipients(value: str) -> str:
    if ";" in value:
        raise ValueError("holds a semicolon; recipients are separated by commas")
    return ", ".join(split(value))


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("holds a line break or another character that no mail header can carry")
    return value.strip()


def _web_address(value: SecretStr) -> SecretStr:
    address = value.get_secret_value()
    if address and not (address.startswith(("http://", "https://")) and is_reachable(address)):
        raise ValueError("is not an http:// or https:// address on one line, without blanks")
    return value


Source = Annotated[str, AfterValidator(lambda value: check_known(value, SOURCES))]
VolatilitySource = Annotated[str, AfterValidator(lambda value: check_known(value, VOLATILITY_SOURCES))]
Store = Annotated[str, AfterValidator(lambda value: check_known(value, STORES))]
Pair = Annotated[str, AfterValidator(_pair)]
File = Annotated[str, BeforeValidator(_at_home), AfterValidator(_on_this_machine)]
Folder = Annotated[
    Path,
    BeforeValidator(lambda value: _on_this_machine(os.fspath(value))),
    BeforeValidator(_named),
    BeforeValidator(_at_home),
]
DataFolder = Annotated[
    str,
    BeforeValidator(_named),
    BeforeValidator(_at_home),
    AfterValidator(_folder_bucket_or_web),
    AfterValidator(_no_link_to_nothing),
    _address("s3", "https", "http", folder=True),
]
FileOrExplorer = Annotated[str, BeforeValidator(_at_home), AfterValidator(_file_or_explorer)]
FolderOrUrl = Annotated[str, BeforeValidator(_at_home), _address("https", "http", folder=True, empty=True)]
FolderOrBucket = Annotated[str, BeforeValidator(_at_home), _address("s3", folder=True, empty=True)]
HttpAddress = Annotated[str, _address("https", "http", base=True)]
HttpAddressOrEmpty = Annotated[str, _address("https", "http", empty=True)]
Endpoint = Annotated[str, _address("https", "http", empty=True, base=True)]
Host = Annotated[str, AfterValidator(_host)]
Hosts = Annotated[str, AfterValidator(_hosts)]
HostAndPort = Annotated[str, AfterValidator(_host_and_port)]
MailText = Annotated[str, AfterValidator(_one_line)]
MailServer = Annotated[str, AfterValidator(_mail_server)]
Recipients = Annotated[str, AfterValidator(_one_line), AfterValidator(_recipients)]
SecretAddress = Annotated[SecretStr, AfterValidator(_web_address)]
