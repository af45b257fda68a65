"""What a process has loaded is not walked through again and again."""

from __future__ import annotations

import gc
import subprocess
import sys

from shared import garbage

_IN_A_PROCESS = """
import gc
from shared import garbage, service
loaded = len(gc.get_objects())
garbage.spare_what_is_loaded()
class Knot: pass
knot = Knot(); knot.self = knot
weak = __import__("weakref").ref(knot)
del knot
gc.collect()
print(gc.get_freeze_count() > 0.9 * loaded, weak() is None, gc.isenabled(), gc.get_threshold()[0])
"""


def test_what_was_loaded_is_spared_and_what_comes_later_is_still_collected() -> None:
    before = gc.get_threshold()
    said = subprocess.run([sys.executable, "-c", _IN_A_PROCESS], capture_output=True, check=True)
    assert said.stdout.decode().split() == ["True", "True", "True", str(garbage.YOUNG)]
    assert gc.get_threshold() == before, "the process of the tests is left alone"
