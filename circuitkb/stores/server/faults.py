"""What a server or the way to it says went wrong, as errors of stores."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from circuitkb.schema.errors import (
    CircuitKBError,
    StoreAccessError,
    StoreBusyError,
    StoreError,
    StoreFullError,
    StoreUnreachableError,
)
from circuitkb.stores.server.address import ServerAddress

_MEMORY = ("MemoryPoolOutOfMemory", "OutOfMemory", "TransactionOutOfMemory")
_LONGEST = 200


@contextmanager
def server_errors(address: ServerAddress) -> Iterator[None]:
    """Turn whatever the driver raises within the block into a store's error."""
    from neo4j.exceptions import DriverError, Neo4jError

    try:
        yield
    except CircuitKBError:
        raise
    except (DriverError, Neo4jError, OSError) as error:
        raise store_error(error, address) from error


def store_error(error: Exception, address: ServerAddress) -> StoreError:
    """Return what to tell of an error of the driver that is not about a query's text.

    Examples
    --------
    >>> from neo4j.exceptions import ServiceUnavailable
    >>> store_error(ServiceUnavailable("refused"), ServerAddress.parse("bolt://localhost"))
    StoreUnreachableError('bolt://localhost does not answer (refused). Is the server running there,
    and is it the Bolt port?')
    """
    from neo4j.exceptions import AuthError, ConfigurationError, DriverError, Neo4jError

    where = address.text
    if isinstance(error, AuthError):
        return wrong_password(address)
    code = (error.code or "") if isinstance(error, Neo4jError) else ""
    if "DatabaseNotFound" in code:
        return StoreError(
            f"The server at {address.url} has no database {address.database!r}. Its administrator "
            f"makes one: CREATE DATABASE (Enterprise Edition; the Community one has neo4j alone)."
        )
    if code.endswith(("ForbiddenOnReadOnlyDatabase", "WriteOnReadOnlyAccessDatabase")):
        return StoreAccessError(
            f"{where} may only be read: its server does not take writes. Nothing was changed."
        )
    if ".Security.Forbidden" in code:
        return StoreAccessError(
            f"The user {address.user!r} may not do this at {where}; nothing was changed. Ask its "
            f"administrator for a role that may write."
        )
    if ".Security." in code:
        return StoreAccessError(f"{where}: {_first_line(error)}.")
    if out_of_memory(error):
        return no_memory()
    if "LockClientStopped" in code or "DeadlockDetected" in code or "LockAcquisition" in code:
        return StoreBusyError(f"Others are writing to {where}: try again when they are done.")
    if "DatabaseUnavailable" in code or "GeneralShutdown" in code:
        return StoreUnreachableError(f"{where} does not serve its database now: try again later.")
    if isinstance(error, ConfigurationError):
        return StoreError(f"{where}: {_first_line(error)}.")
    if isinstance(error, DriverError | OSError):
        return StoreUnreachableError(
            f"{where} does not answer ({_first_line(error)}). Is the server running there, and is "
            f"it the Bolt port?"
        )
    return StoreError(f"{where}: {_first_line(error)}.")


def out_of_memory(error: Exception) -> bool:
    """Return whether the server had too little memory: trying again does not help."""
    return any(name in str(getattr(error, "code", "")) for name in _MEMORY)


def no_memory() -> StoreFullError:
    """Return the error of a server with too little memory."""
    return StoreFullError(
        "The server has too little memory for this write; nothing of it can be seen. Its "
        "administrator can raise dbms.memory.transaction.total.max and "
        "server.memory.heap.max_size."
    )


def wrong_password(address: ServerAddress) -> StoreAccessError:
    """Return the error of a user whom the server does not let in."""
    return StoreAccessError(
        f"{address.url} does not take this password for the user {address.user!r}: "
        f"see CIRCUITKB_NEO4J_PASSWORD, and CIRCUITKB_NEO4J_USER or bolt://USER@host."
    )


def _first_line(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error) or type(error).__name__
    line = str(message).strip().split("\n")[0].rstrip(":. ")
    line = re.sub(r" \(resolved to .*\)", "", line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
