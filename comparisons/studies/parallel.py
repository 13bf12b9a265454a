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
from multiprocessing.managers import SyncManager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from comparisons.agreement.free_run import Tick

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item, Tick], Result], items: list[Item], updates: int, title: str) -> list[Result]:
    """[work(item, tick) for item in items], in parallel; each work ticks off its share of the updates.

    Each process computes in one thread. There is one more of them than processors: few enough to leave each other
    the caches, enough that no processor waits while another has several rows to do.
    """
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # read when a worker imports NumPy and torch
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch_impl.train"])  # torch is imported once, not by every worker
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    terminal = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("updates"),
        TimeElapsedColumn(),
    )
    manager = SyncManager(ctx=context)
    with (
        deferred_interrupt() as raise_if_interrupted,
        Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress,
        ProcessPoolExecutor(min(len(items), processors + 1), context, initializer=set_up_worker) as pool,
    ):
        task = progress.add_task(title, total=updates)
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
        finally:  # whatever they still do is for nobody, and killed they end without a word
            for process in multiprocessing.active_children():
                process.kill()


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], None]]:
    """Ctrl-C waits for the next call of what is yielded, or for the end of the block.

    Raised anywhere it would leave processes half started, or, in the middle of a `with lock`, the lock of a future
    locked for ever: the pool could then not be ended.
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
    """Leave Ctrl-C to the parent; spare the garbage collector the thousands of objects that importing made."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    end_with_parent()


def end_with_parent() -> None:
    """However the parent ends (killed, out of memory), this process ends too, instead of training on for nobody."""

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
