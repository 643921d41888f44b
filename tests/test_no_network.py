"""The guard of every test: no connection inside a transaction."""

from __future__ import annotations

import socket

import pytest
from django.db import transaction

from tests.no_network import NetworkInTransactionError


@pytest.fixture
def listening() -> socket.socket:
    """Somebody who listens on a port of this machine."""
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.django_db
def test_guard__connection_inside_a_transaction__refused_and_noted(
    listening: socket.socket, no_network_in_transactions: list[str]
) -> None:
    refused = pytest.raises(NetworkInTransactionError, match="inside a transaction")
    with listening, socket.socket() as made, transaction.atomic(), refused:
        made.connect(listening.getsockname())

    assert "test_guard__connection_inside" in no_network_in_transactions.pop()


@pytest.mark.django_db
def test_guard__connection_outside_or_after_commit__made(listening: socket.socket) -> None:
    with listening:
        with transaction.atomic():
            pass
        made = socket.create_connection(listening.getsockname(), timeout=5)
        made.close()


@pytest.mark.django_db(transaction=True)
def test_guard__commit_for_real__refused_inside_and_made_on_commit(
    listening: socket.socket, no_network_in_transactions: list[str]
) -> None:
    with listening, socket.socket() as refused, socket.socket() as made:
        with transaction.atomic():
            transaction.on_commit(lambda: made.connect(listening.getsockname()))
            with pytest.raises(NetworkInTransactionError):
                refused.connect(listening.getsockname())
        assert made.getpeername() == listening.getsockname()
    no_network_in_transactions.clear()
