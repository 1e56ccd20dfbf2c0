"""When Python's garbage collector may run: never while somebody waits for a screen.

A round over all that the screens are made of takes tens of milliseconds, and start-up makes so
much that it would take several. What an annotator leaves behind is freed by counting references;
the collector is for the few cycles among it.
"""

from __future__ import annotations

import gc


def hold() -> None:
    """Let it rest until :func:`settle`: nothing made while starting is garbage."""
    gc.disable()


def settle() -> None:
    """Take what stays anyway out of its rounds, and let it begin."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)
    gc.enable()


def tidy() -> None:
    """Free the cycles left since :func:`settle`: some milliseconds while somebody reads."""
    if gc.isenabled():
        gc.collect()
