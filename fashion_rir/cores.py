"""How many cores this process may use, which may be fewer than the machine has.

A batch system or a container gives a process some cores only. Pools as large as the machine would
wait for each other, and take memory for each thread.
"""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")  # where Linux says how much of a processor a container may use


def usable_cores() -> int:
    """The cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        n_cores = len(os.sched_getaffinity(0))
    else:
        n_cores = getattr(os, "process_cpu_count", os.cpu_count)() or 1
    allowed = _allowed_cores()
    return max(1, n_cores if allowed is None else min(n_cores, math.ceil(allowed)))


def _allowed_cores() -> float | None:
    """As many cores' time as a container allows; None if it sets no bound."""
    try:
        if (CGROUP / "cpu.max").exists():
            most, period = (CGROUP / "cpu.max").read_text(encoding="ascii").split()[:2]
        else:
            most, period = ((CGROUP / "cpu" / name).read_text(encoding="ascii").strip()
                            for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))  # fmt: skip
        share = int(most) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # no container, or `max`
        return None
    return share if share > 0 else None
