"""Peak memory of a run at 1, 4 and 16 times as many samples: python benchmarks/memory.py [--pages 300]

Synthesizes so many pages, measures all pixel signals, selects and packs, with two workers, and prints the peak of the
proportional set size (PSS: shared pages counted once) of the driver, of the largest actor and of everything together.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=300)
    pages = parser.parse_args().pages
    print(f"{'samples':>8}  {'driver':>9}  {'an actor':>9}  {'together':>9}  {'seconds':>8}")
    first = None
    for factor in (1, 4, 16):
        driver, actor, together, seconds = measure(pages * factor)
        first = first or together
        print(
            f"{pages * factor:8}  {driver:6.0f} MB  {actor:6.0f} MB  {together:6.0f} MB  {seconds:8.1f}"
            f"  {together / first:.2f} × the first"
        )


def measure(pages: int) -> tuple[float, float, float, float]:
    """Peaks in megabytes of the driver, the largest other process and all together; and the seconds it took."""
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.yaml"
        manifest.write_text(
            yaml.safe_dump(
                {
                    "name": "memory",
                    "parts": {"samples": 64},
                    "synthesize": [{"name": "pages", "set": "manifests/synth/quick.yaml", "count": pages}],
                    "measure": ["pixels", "fingerprint"],
                    "dedup": {"where": "false"},
                    "select": {"filters": [{"name": "clarity", "keep": "clarity > 1"}]},
                    "pack": {"shard_bytes": "8MB"},
                }
            )
        )
        started = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "dataengine.cli",
            "run",
            str(manifest),
            "--out",
            f"{folder}/run",
            "--workers",
            "2",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peaks = [0.0, 0.0, 0.0]
        while process.poll() is None:
            driver, others = _pss(process.pid)
            peaks = [
                max(a, b) for a, b in zip(peaks, (driver, max(others, default=0), driver + sum(others)), strict=True)
            ]
            time.sleep(0.2)
        if process.returncode:
            raise SystemExit(f"the run failed with {process.returncode}")
        return (*peaks, time.monotonic() - started)


def _pss(pid: int) -> tuple[float, list[float]]:
    """Proportional set size in MB of a process and of each of its descendants."""
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0, []
    sizes = []
    for member in family:
        try:
            sizes.append(member.memory_full_info().pss / 1e6)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            sizes.append(0.0)
    return sizes[0], sizes[1:]


if __name__ == "__main__":
    main()
