"""The garbage collector of a process that runs for weeks.

A service loads a few hundred thousand objects at its start and keeps them. With the defaults each
full collection walks through all of them, in the middle of somebody's batch: a twelfth of the
consumer's time went there. What was loaded is therefore left out of later collections, and the
young ones are collected less often.
"""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 10_000
"""Objects more than were freed before the youngest are looked at."""
_OLDER: Final = (20, 50)


def spare_what_is_loaded() -> None:
    """Collect once, then leave everything that is left to the end of the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *_OLDER)
