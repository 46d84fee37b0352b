"""CleanVision over a folder: how long its seven properties of an image take, what it flags, and what it calls the same.

One JSON object on stdin: `timed`, a folder to be timed; `folder`, one to be judged; `odd`, files to be given alone.
"""

import json
import sys
import time

from cleanvision import Imagelab

SEVEN = ("dark", "light", "odd_aspect_ratio", "odd_size", "low_information", "blurry", "grayscale")


def main() -> None:
    job = json.load(sys.stdin)
    rate = max(_rate(job["timed"]) for _ in range(3))
    lab = Imagelab(data_path=job["folder"])
    lab.find_issues({kind: {} for kind in (*SEVEN, "near_duplicates", "exact_duplicates")}, n_jobs=1, verbose=False)
    flags = {}
    for path, row in lab.issues.iterrows():
        flags[path] = [kind for kind in SEVEN if row[f"is_{kind}_issue"]]
    sets = [s for kind in ("near_duplicates", "exact_duplicates") for s in lab.info[kind].get("sets", [])]
    odd = {}
    for path in job["odd"]:
        try:
            alone = Imagelab(filepaths=[path])
            alone.find_issues({kind: {} for kind in SEVEN}, n_jobs=1, verbose=False)
            odd[path] = "measured" if len(alone.issues) else "passed over"
        except Exception as error:
            odd[path] = f"crashed: {type(error).__name__}"
    print(json.dumps({"rate": rate, "flags": flags, "sets": [list(s) for s in sets], "odd": odd}))


def _rate(folder: str) -> float:
    """Images a second of processor time."""
    lab = Imagelab(data_path=folder)
    began = time.process_time()
    lab.find_issues({kind: {} for kind in SEVEN}, n_jobs=1, verbose=False)
    return len(lab.issues) / (time.process_time() - began)


if __name__ == "__main__":
    main()
