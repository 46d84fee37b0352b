"""imagededup over a folder: how long its pHash takes, and what it calls the same. See run_cleanvision.py.

Its pool of processes is left out of what is timed, in its favour."""

import json
import sys
import time
from pathlib import Path

from imagededup.methods import PHash


def main() -> None:
    job = json.load(sys.stdin)
    method = PHash(verbose=False)
    timed = sorted(Path(job["timed"]).iterdir())
    rate = 0.0
    for _ in range(3):
        began = time.process_time()
        for path in timed:
            method.encode_image(image_file=path)
        rate = max(rate, len(timed) / (time.process_time() - began))
    hashes = method.encode_images(image_dir=job["folder"], num_enc_workers=0)
    found = method.find_duplicates(encoding_map=hashes, max_distance_threshold=job["distance"], num_dist_workers=0)
    sets = [[str(Path(job["folder"]) / n) for n in (name, *others)] for name, others in found.items() if others]
    odd = {}
    for path in job["odd"]:
        try:
            odd[path] = "measured" if method.encode_image(image_file=path) else "passed over"
        except Exception as error:
            odd[path] = f"crashed: {type(error).__name__}"
    print(json.dumps({"rate": rate, "sets": sets, "odd": odd}))


if __name__ == "__main__":
    main()
