"""Whoever a judge's requests can be sent to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from judges.outcomes import Answer, Reply
    from judges.structured import Wanted
    from judges.templates import Message


class Asks(Protocol):
    """Whoever a request can be sent to; see :class:`judges.client.ChatClient`."""

    async def ask(
        self,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        *,
        wanted: Wanted | None = None,
    ) -> Reply:
        """Send one request for a chat completion and read what comes back."""

    async def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        """Send any other request of the server's API."""

    async def close(self) -> None:
        """Let go of connections."""
