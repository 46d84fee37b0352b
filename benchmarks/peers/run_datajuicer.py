"""Data-Juicer's image_deduplicator: how long its pHash of an image takes, and what it calls the same, which is what has
equal hashes. See run_cleanvision.py."""

import json
import sys
import time
from pathlib import Path

from data_juicer.ops.deduplicator.image_deduplicator import ImageDeduplicator


def main() -> None:
    job = json.load(sys.stdin)
    method = ImageDeduplicator(method="phash")

    def hashed(path: str) -> str:
        sample = method.compute_hash({"images": [path], "text": ""})
        return next(value for key, value in sample.items() if "hash" in key)

    timed = sorted(map(str, Path(job["timed"]).iterdir()))
    rate = 0.0
    for _ in range(3):
        began = time.process_time()
        for path in timed:
            hashed(path)
        rate = max(rate, len(timed) / (time.process_time() - began))
    by_hash: dict[str, list[str]] = {}
    for path in sorted(map(str, Path(job["folder"]).iterdir())):
        by_hash.setdefault(hashed(path), []).append(path)
    odd = {}
    for path in job["odd"]:
        try:
            odd[path] = "measured" if hashed(path) else "passed over"
        except Exception as error:
            odd[path] = f"crashed: {type(error).__name__}"
    print(json.dumps({"rate": rate, "sets": [s for s in by_hash.values() if len(s) > 1], "odd": odd}))


if __name__ == "__main__":
    main()
