"""Whoever a judge's requests can be sent to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from judges.outcomes import Reply
    from judges.structured import Wanted
    from judges.templates import Message


class Asks(Protocol):
    """Whoever a request can be sent to: a client, or a pool of them."""

    @property
    def base_url(self) -> str:
        """The address that is asked."""

    async def ask(
        self,
        messages: Sequence[Message],
        parameters: Mapping[str, Any],
        *,
        wanted: Wanted | None = None,
    ) -> Reply:
        """Send one request and read what comes back; see :meth:`judges.client.ChatClient.ask`."""

    async def post(self, path: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], str, float]:
        """Send any other request; see :meth:`judges.client.ChatClient.post`."""

    async def close(self) -> None:
        """Let go of connections."""
