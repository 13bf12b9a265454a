"""Rows of a table, computed in parallel processes, with a progress bar."""

import gc
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.managers import SyncManager
from tempfile import TemporaryDirectory
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from comparisons.agreement.free_run import Tick

Item = TypeVar("Item")
Result = TypeVar("Result")

FEW = 5_000  # updates that are made here before processes have started: each of them must import torch


def side_by_side(work: Callable[[Item, Tick], Result], items: list[Item], updates: int, title: str) -> list[Result]:
    """[work(item, tick) for item in items], in parallel; each work reports with tick(n) that n more updates are done.

    Each process computes in one thread. There is one process more than processors: few enough not to compete for the
    caches, and enough that no processor waits while another has several items left. Few updates are made in this one.
    """
    if updates <= FEW:
        return [work(item, lambda _updates: None) for item in items]
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # read when a worker imports NumPy and torch
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch_impl.train"])  # torch is imported once, not by every worker
    resource_tracker.ensure_running()  # it unblocks what is blocked
    with blocked_interrupt():  # which the fork server inherits: Ctrl-C is for this process
        forkserver.ensure_running()
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    terminal = Console(stderr=True)
    columns = "{task.description}", BarColumn(), MofNCompleteColumn(), "updates", TimeElapsedColumn()
    with (
        TemporaryDirectory() as folder,  # of the manager's socket; a process that is killed does not remove its own
        deferred_interrupt() as raise_if_interrupted,
        Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress,
        ProcessPoolExecutor(min(len(items), processors + 1), context, initializer=set_up_worker) as pool,
    ):
        task = progress.add_task(title, total=updates)
        manager = SyncManager(f"{folder}/socket", ctx=context)
        try:
            manager.start(end_with_parent)
            ticks = manager.Queue()
            futures = [pool.submit(work, item, ticks.put) for item in items]
            while not all(future.done() for future in futures):
                raise_if_interrupted()
                for future in futures:
                    if future.done():
                        future.result()  # raises what the work raised, without waiting for the others
                with suppress(queue.Empty):
                    progress.advance(task, ticks.get(timeout=0.1))
            return [future.result() for future in futures]
        finally:  # nobody needs what they still compute; a killed process prints nothing
            for process in multiprocessing.active_children():
                process.kill()


@contextmanager
def blocked_interrupt() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block, and never in a process that is started in it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], None]]:
    """Ctrl-C takes effect at the next call of the yielded function, or at the end of the block.

    Raised anywhere else it could leave a process half started, or the lock of a future locked for ever, so that the
    pool could not be ended.
    """
    interrupts: list[int] = []

    def raise_if_interrupted() -> None:
        if interrupts:
            interrupts.clear()
            raise KeyboardInterrupt

    handler = signal.signal(signal.SIGINT, lambda number, _frame: interrupts.append(number))
    try:
        yield raise_if_interrupted
        raise_if_interrupted()
    finally:
        signal.signal(signal.SIGINT, handler)


def set_up_worker() -> None:
    """Leave Ctrl-C to the parent; keep the thousands of imported objects away from the garbage collector."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    end_with_parent()


def end_with_parent() -> None:
    """End this process when the parent ends for any reason (killed, out of memory)."""

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
