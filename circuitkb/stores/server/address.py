"""The address of a knowledge base on a server, ``bolt://ada@host:7687/zoo``, in its parts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from circuitkb.schema.errors import StoreError

SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
"""``neo4j`` finds its way in a cluster; ``+s`` is encrypted, ``+ssc`` trusts any certificate."""

USER_VARIABLE = "CIRCUITKB_NEO4J_USER"

_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9.-]{2,62}")


@dataclass(frozen=True)
class ServerAddress:
    """Where a knowledge base is on a server.

    Attributes
    ----------
    text
        The address as the user gave it.
    url
        What the driver connects to: scheme, host and port.
    user
        Name of the user; ``neo4j`` if neither the address nor ``CIRCUITKB_NEO4J_USER`` tells.
    database
        Name of the database; None is the user's home database.
    """

    text: str
    url: str
    user: str
    database: str | None

    @classmethod
    def parse(cls, text: str) -> ServerAddress:
        """Read an address.

        Raises
        ------
        StoreError
            It has no host, holds a password, or more than the name of a database.

        Examples
        --------
        >>> ServerAddress.parse("bolt://ada@db.example:7688/zoo")
        ServerAddress(text='bolt://ada@db.example:7688/zoo', url='bolt://db.example:7688',
                      user='ada', database='zoo')
        >>> ServerAddress.parse("bolt://ada:secret@localhost")
        Traceback (most recent call last):
        circuitkb.schema.errors.StoreError: An address holds no password, since others could read
        it there: set CIRCUITKB_NEO4J_PASSWORD, or type it when asked.
        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise StoreError(f"{_shown(text)} is no address of a server: {error}.") from error
        if parts.password is not None:
            raise StoreError(
                "An address holds no password, since others could read it there: "
                "set CIRCUITKB_NEO4J_PASSWORD, or type it when asked."
            )
        if not host:
            raise StoreError(f"{text} names no host: write it as in bolt://localhost:7687.")
        if parts.query or parts.fragment:
            raise StoreError(
                f"{text}: an address ends with the database, as in bolt://localhost:7687/zoo."
            )
        database = parts.path.strip("/")
        if database and not _DATABASE.fullmatch(database):
            raise StoreError(
                f"{database!r} names no database: 3 to 63 letters, digits, '.' and '-', "
                f"as in bolt://localhost:7687/zoo."
            )
        place = f"[{host}]" if ":" in host else host
        url = f"{parts.scheme}://{place}" + (f":{port}" if port is not None else "")
        user = unquote(parts.username) if parts.username else os.environ.get(USER_VARIABLE)
        return cls(text, url, user or "neo4j", database or None)


def _shown(text: str) -> str:
    """Leave out whatever may be a password."""
    return re.sub(r"//[^@/]*@", "//...@", text)
