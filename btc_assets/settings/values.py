"""The values that a setting can have: names, folders, addresses, hosts; each refused in a few words."""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
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


def absolute(paths: str) -> str:
    """Return a list of paths, parted by semicolons, as absolute ones, and addresses as they are."""
    return ";".join(
        part if not part or "://" in part else str(Path(part).absolute()) for part in paths.split(";")
    )


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


def _at_home(value: object) -> object:
    return expand_home(os.fspath(value)) if isinstance(value, str | os.PathLike) else value


def _named(value: object) -> object:
    if not str(value).strip():
        raise ValueError("is empty; name a folder, or leave the variable unset")
    return value


def _address(*schemes: str, folder: bool = False, empty: bool = False) -> AfterValidator:
    """Build the check of an address that could be reached, or of a ``folder``; without a trailing slash."""

    def check(value: str) -> str:
        if any(c in value for c in "\n\r\0"):
            raise ValueError("holds a line break or a null byte")
        value = value.rstrip("/") if len(value) > 1 else value
        if "://" not in value and (folder or (empty and not value)):
            return value
        scheme, _, rest = value.partition("://")
        if "://" not in value or scheme not in schemes or not urlsplit(f"//{rest}").hostname:
            raise ValueError(f"is no {' or '.join(f'{name}://' for name in schemes)} address")
        return value

    return AfterValidator(check)


def _folder_bucket_or_web(value: str) -> str:
    if "://" in value and not value.startswith(("s3://", "https://", "http://")):
        raise ValueError("is neither a folder nor an s3:// or https:// address")
    return private_address(value) if value.startswith("http") and "://" in value else value


def _file_or_explorer(value: str) -> str:
    return private_address(value) if "://" in value else value


def _host(value: str) -> str:
    """Take an IPv6 address with or without the brackets that it has in a URL."""
    bare = value.removeprefix("[").removesuffix("]")
    if ":" in bare:
        ipaddress.IPv6Address(bare)
    elif not re.fullmatch(r"[A-Za-z0-9._-]+", bare):
        raise ValueError("is no IP address and no name of a host")
    return bare


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("holds a line break or another character that no mail header can carry")
    return value.strip()


def _web_address(value: SecretStr) -> SecretStr:
    address = value.get_secret_value()
    if address and not (address.startswith(("http://", "https://")) and address.isprintable()):
        raise ValueError("is not an http:// or https:// address on one line")
    return value


Source = Annotated[str, AfterValidator(lambda value: check_known(value, SOURCES))]
VolatilitySource = Annotated[str, AfterValidator(lambda value: check_known(value, VOLATILITY_SOURCES))]
Store = Annotated[str, AfterValidator(lambda value: check_known(value, STORES))]
File = Annotated[str, BeforeValidator(_at_home)]
Folder = Annotated[Path, BeforeValidator(_named), BeforeValidator(_at_home)]
DataFolder = Annotated[
    str,
    BeforeValidator(_named),
    BeforeValidator(_at_home),
    AfterValidator(_folder_bucket_or_web),
    _address("s3", "https", "http", folder=True),
]
FileOrExplorer = Annotated[str, BeforeValidator(_at_home), AfterValidator(_file_or_explorer)]
FolderOrUrl = Annotated[str, BeforeValidator(_at_home), _address("https", "http", folder=True, empty=True)]
FolderOrBucket = Annotated[str, BeforeValidator(_at_home), _address("s3", folder=True, empty=True)]
HttpAddress = Annotated[str, _address("https", "http")]
HttpAddressOrEmpty = Annotated[str, _address("https", "http", empty=True)]
Host = Annotated[str, AfterValidator(_host)]
MailText = Annotated[str, AfterValidator(_one_line)]
SecretAddress = Annotated[SecretStr, AfterValidator(_web_address)]
