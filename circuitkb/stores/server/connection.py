"""A driver that is connected: to a server of a supported version, as a user that it lets in."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from circuitkb.schema.errors import StoreAccessError, StoreVersionError
from circuitkb.stores.server.address import ServerAddress
from circuitkb.stores.server.faults import server_errors, wrong_password

if TYPE_CHECKING:
    from neo4j import Driver

PASSWORD_VARIABLE = "CIRCUITKB_NEO4J_PASSWORD"

OLDEST = (5, 26)
"""The oldest version of Neo4j that is supported: the long-term one that the tests run on."""

CONNECTING = 15.0
"""Seconds to wait for a connection."""

RETRYING = 30.0
"""Seconds for which a write that failed for a passing reason is tried again."""

_AGENT = re.compile(r"Neo4j/(\d+)\.(\d+)\S*")


def connect(address: ServerAddress) -> Driver:
    """Return a driver that has reached the server.

    The password is that in ``CIRCUITKB_NEO4J_PASSWORD``. Without it, a server that asks for none is
    used as it is, and on a terminal the user is asked.

    Raises
    ------
    StoreUnreachableError, StoreAccessError, StoreVersionError
    """
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is not None:
        return _reached(address, (address.user, password))
    try:
        return _reached(address, None)
    except StoreAccessError:
        if not sys.stdin or not sys.stdin.isatty():
            raise StoreAccessError(
                f"{address.url} asks for a password: set {PASSWORD_VARIABLE} "
                f"(the user is {address.user!r})."
            ) from None
    from getpass import getpass

    return _reached(
        address, (address.user, getpass(f"Password of {address.user} at {address.url}: "))
    )


def _reached(address: ServerAddress, credentials: tuple[str, str] | None) -> Driver:
    from neo4j import GraphDatabase, NotificationMinimumSeverity
    from neo4j.exceptions import AuthError

    with server_errors(address):
        driver = GraphDatabase.driver(
            address.url,
            auth=credentials,
            connection_timeout=CONNECTING,
            connection_acquisition_timeout=2 * CONNECTING,
            max_transaction_retry_time=RETRYING,
            notifications_min_severity=NotificationMinimumSeverity.OFF,
            user_agent="circuitkb",
        )
        try:
            agent = driver.get_server_info().agent
            check_version(agent, address)
        except AuthError as error:
            driver.close()
            raise wrong_password(address) from error
        except BaseException:
            driver.close()
            raise
    return driver


def check_version(agent: str, address: ServerAddress) -> None:
    """Raise where a server that calls itself ``agent`` is not one that can be used.

    Examples
    --------
    >>> check_version("Neo4j/2026.04.1", ServerAddress.parse("bolt://localhost"))
    >>> check_version("Neo4j/4.4.30", ServerAddress.parse("bolt://localhost"))
    Traceback (most recent call last):
    circuitkb.schema.errors.StoreVersionError: bolt://localhost is Neo4j/4.4.30; circuitkb needs
    Neo4j 5.26 or later.
    """
    found = _AGENT.fullmatch(agent)
    if not found or (int(found[1]), int(found[2])) < OLDEST:
        raise StoreVersionError(
            f"{address.text} is {agent or 'an unknown server'}; circuitkb needs "
            f"Neo4j {OLDEST[0]}.{OLDEST[1]} or later."
        )
