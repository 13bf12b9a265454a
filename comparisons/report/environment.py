"""The computer and its software: the bits of a result may depend on them."""

import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

PACKAGES = ("numpy", "torch", "matplotlib", "jinja2", "typer", "rich")


def environment() -> dict[str, str]:
    """The name and the value of each fact, of this computer, now."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        **{package: version(package) for package in PACKAGES if find_spec(package)},
        "operating system": f"{platform.system()} {platform.release()}, {' '.join(platform.libc_ver())}".rstrip(", "),
        "processor": f"{processor()}, {platform.machine()}",
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "processors": f"{os.cpu_count()}, of which {usable} may be used",
        "threads": "1 in each training run; several runs train side by side, each in a process of its own",
    }


def processor() -> str:
    """The processor's name: Linux has it in a file, other systems say less."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
