"""kill -9 at random moments: is anything lost, doubled, half-written, or different in the end?

One process imports what the work needs and forks a child for each try, so that a kill costs
milliseconds and not the seconds of an import.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Result:
    """What came of killing one piece of work.

    Attributes:
        name: of the work.
        kills: processes that were killed while they worked.
        runs: that came to their end, each compared with the uninterrupted one.
        losses: what was lost, doubled, half-written or different; empty if all is well.
    """

    name: str
    kills: int = 0
    runs: int = 0
    losses: list[str] = field(default_factory=list)


class ForkServer:
    """A process that does a piece of work in a child, and kills it in time."""

    def __init__(self, *, trains: bool = False) -> None:
        """Start the process; `trains` lets it import Keras once and not in every child."""
        environment = os.environ | {"TQDM_DISABLE": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
                                    "CUDA_VISIBLE_DEVICES": "-1"}  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "torture.kills", *["--train"] * trains], cwd=ROOT,
            env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()

    def start(self, name: str, folder: Path, limit: float | None = None) -> None:
        """Start a piece of work; kill it after `limit` seconds."""
        request = {"name": name, "folder": str(folder), "limit": limit}
        print(json.dumps(request), file=self._process.stdin, flush=True)

    def answer(self) -> dict:
        """`code`, the exit code (-9 if it was killed), and `seconds`."""
        return json.loads(self._process.stdout.readline())

    def run(self, name: str, folder: Path, limit: float | None = None) -> dict:
        """Start a piece of work and wait for its end."""
        self.start(name, folder, limit)
        return self.answer()


def torment(
    server: ForkServer, name: str, n_kills: int, *, seed: int, until: float = float("inf")
) -> Result:
    """Kill a piece of work at random moments, let it go on, and compare its end.

    Args:
        server: that does the work.
        name: a key of `work.WORK`.
        n_kills: how many, at least 1.
        seed: of the moments.
        until: by `time.monotonic()`: start no further try after it.
    """
    from torture import comparison, work

    generator, result = random.Random(f"{name} {seed}"), Result(name)
    with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        whole = Path(scratch) / "whole"
        seconds = _finish(server, name, whole, result)
        while result.kills < n_kills and time.monotonic() < until and not result.losses:
            folder = Path(scratch) / f"killed-{result.runs}"
            folder.mkdir()
            for _ in range(3):  # the later ones meet work that goes on
                limit = generator.uniform(0.0, seconds)
                result.kills += server.run(name, folder, limit)["code"] == -signal.SIGKILL
                result.losses += work.faults(name, folder)
            _finish(server, name, folder, result)
            result.losses += work.faults(name, folder)
            result.losses += comparison.differences(whole, folder)
    return result


def _finish(server: ForkServer, name: str, folder: Path, result: Result) -> float:
    folder.mkdir(exist_ok=True)
    answer = server.run(name, folder)
    result.runs += 1
    if answer["code"]:
        log = (folder / "log.txt").read_text(encoding="utf-8").strip().splitlines()
        result.losses.append(f"it did not come to its end: {' '.join(log[-1:])}")
    return answer["seconds"]


def two_at_once(folder: Path) -> list[str]:
    """Two processes embed into one store; what is wrong afterwards, nothing if all is well."""
    from torture import work

    folder.mkdir(exist_ok=True)
    work.shop(folder)
    with ForkServer() as one, ForkServer() as other:
        for server in (one, other):
            server.start("embedding", folder)
        codes = [server.answer()["code"] for server in (one, other)]
        log = (folder / "log.txt").read_text(encoding="utf-8")
        found = work.faults("embedding", folder)
        if any(codes) and "another process is filling the store" not in log:
            found.append(f"one process failed without a clear word: {log[-200:]}")
        if all(codes):
            found.append("neither process came to its end")
        one.run("embedding", folder)
        n_rows = len(work.FeatureStore.open(folder / "store.sqlite").image_names())
    if n_rows != work.N_PRODUCTS:
        found.append(f"{n_rows} rows instead of {work.N_PRODUCTS}")
    return found


def serve() -> None:
    """Fork a child for each line of stdin, and say how it ended."""
    from torture import work

    if "--train" in sys.argv:
        import keras  # noqa: F401  (once for all children)

    for line in sys.stdin:
        request = json.loads(line)
        folder, start = Path(request["folder"]), time.monotonic()
        child = os.fork()
        if child == 0:
            _work(work.WORK[request["name"]], folder)
        code = _wait(child, request["limit"])
        print(json.dumps({"code": code, "seconds": time.monotonic() - start}), flush=True)


def _work(piece: object, folder: Path) -> None:
    os.setsid()  # a group of its own, so that its kernels are killed with it
    with open(folder / "log.txt", "a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            piece(folder)
        except BaseException:
            traceback.print_exc(file=log)
            log.flush()
            os._exit(1)
    os._exit(0)


def _wait(child: int, limit: float | None) -> int:
    end = time.monotonic() + (float("inf") if limit is None else limit)
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    _kill(child)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _kill(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # it has no group of its own yet
        os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    serve()
