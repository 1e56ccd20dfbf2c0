"""Screens that close once, however often they are told to."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import Screen, ScreenResultType


class Once(Screen[ScreenResultType]):
    """A screen whose second key to close it closes nothing else.

    Two keys may come in one read: Textual would have the second close what lies beneath, and end
    the app where nothing does. Where it is a modal screen too, that base stands first: Textual
    takes the styles of the first alone, and what lies beneath would not be seen.
    """

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close this screen with a result, unless it is closed already."""
        if self not in self.app.screen_stack:
            return AwaitComplete()
        return super().dismiss(result)
