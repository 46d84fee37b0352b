"""Measuring and duplicates beside CleanVision, imagededup and Data-Juicer: python benchmarks/curation.py [--photos …]

benchmarks/peers/install first. On the same files, one core each, in one run:

- images a second of processor time on 640 × 480 JPEGs, reading and decoding included, the best of three rounds:
  CleanVision's seven properties against the signal `pixels`, which has fourteen; both peers' pHash against the signal
  `fingerprint`, which has two hashes and two digests;
- photographs with each of those seven faults: how many each flags, and how many whole ones;
- planted duplicates: how many of them each puts together with their originals, and how many others;
- odd files, each given alone.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from PIL import Image as Picture

from dataengine.decode import decode
from dataengine.errors import SampleError
from dataengine.stage import Image, Signal
from stages import dedup
from stages.measure.fingerprint import Fingerprint
from stages.measure.pixels import Pixels

sys.path.insert(0, str(Path(__file__).parent))
import degradation as spoil

HERE = Path(__file__).parent / "peers"
HOME = HERE.parents[1] / "build" / "peers"
PEERS = ("cleanvision", "imagededup", "datajuicer")
SPOILT: Mapping[str, spoil.Make] = {
    name: spoil.WAYS[name].make for name in ("blurred", "dark", "overexposed", "flat")
} | {
    "small": lambda p, rng: spoil.jpeg(p.resize((48, 32))),
    "strip": lambda p, rng: spoil.jpeg(p.crop((0, p.height // 3, p.width, p.height // 3 + p.width // 12))),
    "grey": lambda p, rng: spoil.jpeg(p.convert("L")),
}
CAUGHT_BY = {  # what CleanVision calls each, and the filters that are to catch it here
    "blurred": ("blurry", ["clarity", "blur"]),
    "dark": ("dark", ["luma"]),
    "overexposed": ("light", ["luma", "exposure"]),
    "flat": ("low_information", ["entropy"]),
    "small": ("odd_size", ["resolution"]),
    "strip": ("odd_aspect_ratio", ["aspect"]),
    "grey": ("grayscale", ["colour"]),
}
COLOUR = "colourfulness > 0"  # no filter of the recipe: it keeps black-and-white photographs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="folders of further photographs")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    photographs = list(spoil._photographs(options.photos))
    with tempfile.TemporaryDirectory() as made:
        timed, folder, odd = (Path(made) / name for name in ("timed", "folder", "odd"))
        for place in (timed, folder, odd):
            place.mkdir()
        _write(timed, dict(_crops(photographs)))
        _write(folder, {**_spoilt(photographs), **_planted(photographs)})
        _write(odd, dict(_odd()))
        job = {
            "timed": str(timed),
            "folder": str(folder),
            "odd": sorted(map(str, odd.iterdir())),
            "distance": dedup.Params().phash_distance,
        }
        ours = _ourselves(timed, folder, odd)
        answers = {"this project": ours, **{peer: _ask(peer, job) for peer in PEERS}}
    _show_rates(ours, answers)
    _show_flags(answers, len(photographs))
    _show_sets(answers, len(photographs))
    _show_odd(answers)


def _ask(peer: str, job: Mapping[str, object]) -> dict:
    python = HOME / peer / ".venv/bin/python"
    if not python.exists():
        raise SystemExit(f"{peer} is not installed: benchmarks/peers/install")
    one_core = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, HERE / f"run_{peer}.py"],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        env=os.environ | one_core,
    )
    if done.returncode:
        raise SystemExit(f"{peer} failed: {done.stderr.strip()[-600:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _ourselves(timed: Path, folder: Path, odd: Path) -> dict:
    files = sorted(timed.iterdir())
    asked = {
        "decoding": [()],
        "pixels": [(Pixels,)],
        "fingerprint": [(Fingerprint,)],
        "added": [(Fingerprint,), (Pixels,)],
        "both": [(Pixels, Fingerprint)],
    }
    rounds = [{name: _rate(files, *kinds) for name, kinds in asked.items()} for _ in range(3)]
    rates = {name: max(each[name] for each in rounds) for name in asked}
    paths = sorted(folder.iterdir())
    encoded = [path.read_bytes() for path in paths]
    table = spoil._measure(Pixels, encoded)
    keeps = {**spoil._keeps(), "colour": COLOUR}
    dropped = {name: spoil._dropped(table, [keeps[name]]) for _, names in CAUGHT_BY.values() for name in names}
    flags = {str(path): [name for name in dropped if dropped[name][at]] for at, path in enumerate(paths)}
    sets = [[str(paths[at]) for at in group] for group in _near(spoil._measure(Fingerprint, encoded))]
    return {**rates, "flags": flags, "sets": sets, "odd": _own_odd(odd)}


def _near(hashes: pa.Table) -> list[list[int]]:
    """Groups of pictures of which both hashes are near, as `dedup` makes them."""
    most = dedup.Params().distances
    pairs = dedup.near_pairs([hashes[name].to_numpy() for name in most], list(most.values()))
    groups: dict[int, list[int]] = {}
    for at, group in enumerate(dedup.components(len(hashes), pairs).tolist()):
        groups.setdefault(group, []).append(at)
    return [members for members in groups.values() if len(members) > 1]


def _rate(files: Sequence[Path], kinds: Sequence[type[Signal]], decoded: Sequence[type[Signal]] = ()) -> float:
    """Images a second of processor time: read, decoded once for all signals of `kinds` as the engine does, measured.
    With `decoded`, only `kinds` are timed, after those have measured the same images."""
    signals, before = ([kind(kind.Params()) for kind in some] for some in (kinds, decoded))
    seconds, batch = 0.0, Pixels.resources.batch
    for start in range(0, len(files), batch):
        began = time.process_time()
        encoded = [path.read_bytes() for path in files[start : start + batch]]
        images = [Image("", decode(one)[0], one, "jpeg") for one in encoded]
        if before:
            for signal in before:
                signal.measure(images)
            began = time.process_time()
        for signal in signals:
            signal.measure(images)
        seconds += time.process_time() - began
    return len(files) / seconds


def _own_odd(odd: Path) -> dict[str, str]:
    found = {}
    for path in sorted(odd.iterdir()):
        try:
            pixels, orientation = decode(path.read_bytes())
            image = Image("", pixels, path.read_bytes(), "", orientation)
            found[str(path)] = "measured"
            for kind in (Pixels, Fingerprint):
                assert isinstance(kind(kind.Params()).measure([image]), pa.Table)
        except SampleError as error:
            found[str(path)] = f"a failure: {error.message}"
    return found


def _show_rates(ours: Mapping[str, float], answers: Mapping[str, dict]) -> None:
    print("\n| 640 × 480 JPEGs, one core | images/s | this project | images/s | ratio |\n|---|--:|---|--:|--:|")
    rates = {peer: answers[peer]["rate"] for peer in PEERS}
    both = 1 / (1 / rates["cleanvision"] + 1 / rates["imagededup"])  # each decodes for itself
    rows = [("CleanVision, seven properties", rates["cleanvision"], "`pixels`", ours["pixels"])]
    for peer in ("imagededup", "datajuicer"):
        rows.append((f"{peer}, pHash", rates[peer], "`fingerprint`", ours["fingerprint"]))
        rows.append((f"{peer}, pHash", rates[peer], "`fingerprint`, added to `pixels`", ours["added"]))
    rows.append(("CleanVision, then imagededup", both, "`pixels` and `fingerprint`", ours["both"]))
    rows.append(("imagededup, pHash", rates["imagededup"], "decoding alone", ours["decoding"]))
    for name, rate, own, rate_here in rows:
        print(f"| {name} | {rate:.0f} | {own} | {rate_here:.0f} | {rate_here / rate:.1f} |")


def _show_flags(answers: Mapping[str, dict], count: int) -> None:
    """How many of the spoilt ones are flagged, and how many of the whole ones, which for grey are right to be."""
    print(f"\n| of {count} photographs | this project | of whole ones | CleanVision | of whole ones |")
    print("|---|--:|--:|--:|--:|")
    ours, theirs = answers["this project"]["flags"], answers["cleanvision"]["flags"]
    for way, (kind, filters) in CAUGHT_BY.items():
        cells = [
            sum(bool(set(names) & set(f)) for path, f in flags.items() if Path(path).name.startswith(f"{which}-"))
            for flags, names in ((ours, filters), (theirs, [kind]))
            for which in (way, "whole")
        ]
        print(f"| {way} | {' | '.join(map(str, cells))} |")


def _show_sets(answers: Mapping[str, dict], count: int) -> None:
    twins = len(_TWINS)
    print(f"\n| planted duplicates | found of {count * twins} | wrong pairs |\n|---|---|---|")
    for name, answer in answers.items():
        found, wrong = set(), set()
        for group in answer["sets"]:
            for one, other in itertools.combinations(sorted(group), 2):
                a, b = (Path(path).stem.split("-") for path in (one, other))
                if {a[0], b[0]} & set(CAUGHT_BY):
                    continue  # spoilt pictures are neither here nor there
                if a[1] != b[1]:
                    wrong.add((one, other))
                elif "whole" in (a[0], b[0]):
                    found.add(a[0] + a[1] if b[0] == "whole" else b[0] + b[1])
        print(f"| {name} | {len(found)} | {len(wrong)} |")


def _show_odd(answers: Mapping[str, dict]) -> None:
    print(f"\n| odd file | {' | '.join(answers)} |\n|{'---|' * (len(answers) + 1)}")
    for path in answers["this project"]["odd"]:
        told = [answer["odd"].get(path, "–") for answer in answers.values()]
        print(f"| {Path(path).name} | {' | '.join(told)} |")


_TWINS = {
    "q90": lambda p: spoil.jpeg(p, 90),
    "q60": lambda p: spoil.jpeg(p, 60),
    "q30": lambda p: spoil.jpeg(p, 30),
    "half": lambda p: spoil.jpeg(p.resize((p.width // 2, p.height // 2))),
    "larger": lambda p: spoil.jpeg(p.resize((p.width * 3 // 2, p.height * 3 // 2))),
}


def _planted(photographs: Sequence[Picture.Image]) -> dict[str, bytes]:
    return {f"{n}-{i:03d}.jpg": make(p) for i, p in enumerate(photographs) for n, make in _TWINS.items()}


def _spoilt(photographs: Sequence[Picture.Image]) -> dict[str, bytes]:
    made = {f"whole-{i:03d}.jpg": spoil.jpeg(p) for i, p in enumerate(photographs)}
    for way, make in SPOILT.items():
        for i, picture in enumerate(photographs):
            made[f"{way}-{i:03d}.jpg"] = make(picture, np.random.default_rng([0, i]))
    return made


def _crops(photographs: Sequence[Picture.Image], each: int = 3) -> Iterator[tuple[str, bytes]]:
    for i, picture in enumerate(photographs):
        large = picture.resize((max(700, picture.width), max(540, picture.height)))
        rng = np.random.default_rng([2, i])
        for j in range(each):
            left, top = (int(rng.integers(side + 1)) for side in (large.width - 640, large.height - 480))
            yield f"{i:03d}-{j}.jpg", spoil.jpeg(large.crop((left, top, left + 640, top + 480)), 90)


def _odd() -> Iterator[tuple[str, bytes]]:
    flower = Picture.fromarray(decode(spoil.package_file("sklearn/flower.jpg").read_bytes())[0])
    whole = spoil.jpeg(flower)
    yield "truncated.jpg", whole[: len(whole) // 2]
    yield "cmyk.jpg", spoil.jpeg(flower.convert("CMYK"))
    for name, picture in {
        "grey-and-alpha.png": flower.convert("LA"),
        "sixteen-bits.png": Picture.fromarray(np.asarray(flower.convert("L"), np.uint16) * 257),
        "231-megapixels.png": Picture.new("1", (21000, 11000)),
    }.items():
        with tempfile.TemporaryDirectory() as folder:
            picture.save(Path(folder) / "x.png")
            yield name, (Path(folder) / "x.png").read_bytes()
    yield "empty.jpg", b""
    yield "words.jpg", b"This is no picture.\n"


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, encoded in files.items():
        (folder / name).write_bytes(encoded)


if __name__ == "__main__":
    main()
