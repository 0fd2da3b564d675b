"""What every adapter does around its one function call: catch all output in the log, end with one clear line."""

from __future__ import annotations

import gc
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FAILURES = Path(".snakemake") / "trialpipe-failures.txt"
"""Last lines of failed jobs, for the workflow to print when all jobs have stopped (relative to the run's folder)."""


@contextmanager
def job(log: str) -> Iterator[None]:
    """Send stdout and stderr to ``log``; on an error write the traceback there and exit 1.

    The error's own text is the log's last line, prefixed ERROR. DataError and ConfigError carry their own wording;
    anything else is a defect and says so.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
        gc.freeze()  # what the imports made stays until the end; searching it again and again costs up to a tenth
        try:
            yield
        except BaseException as error:
            traceback.print_exc()
            line = _line(error, log)
            print(line, file=sys.stderr, flush=True)
            FAILURES.parent.mkdir(exist_ok=True)
            with open(FAILURES, "a", encoding="utf-8") as failures:
                failures.write(line + "\n")
            sys.stdout.flush()
            os._exit(1)
        sys.stdout.flush()
        sys.stderr.flush()


def _line(error: BaseException, log: str) -> str:
    text = str(error).strip()
    if getattr(error, "for_user", False):
        return text if text.startswith("ERROR") else f"ERROR {text}"
    return f"ERROR {type(error).__name__}: {text} - a defect of the pipeline; the traceback is in {log}"


def forget_failures() -> None:
    """Remove the failure lines of an earlier run."""
    FAILURES.unlink(missing_ok=True)


def print_failures() -> None:
    """Print the failed jobs' own last lines; called when all else is printed, so that they stand last on screen."""
    if FAILURES.exists():
        # a job that was tried again says the same twice
        lines = dict.fromkeys(FAILURES.read_text(encoding="utf-8").splitlines())
        print(*lines, sep="\n", file=sys.stderr)


def release_timers() -> None:
    """End the timers of the scheduler's rate limit, which would hold a finished run for their time span."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
