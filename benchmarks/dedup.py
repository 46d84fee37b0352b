"""Seconds of one core to find all pairs of hashes within 6 bits, by the index, beside comparing all pairs in blocks.

    python benchmarks/dedup.py [--sizes 10000 100000 1000000] [--distance 6]
    python benchmarks/dedup.py --reckon 100000000
    python benchmarks/dedup.py --samples 1000000
    python benchmarks/dedup.py --photographs build/photographs

Random 64-bit hashes, a tenth of which are copies of others with up to `distance` bits turned. For each size every
planted pair must be found, and all pairs of 200 random hashes must be those of brute force. The baseline compares all
pairs in blocks of 2,048; beyond 200,000 hashes its time is reckoned from a part of the blocks.

`--reckon` does a part of the work for more of them, with bands so wide that their values are cut into ranges, and
multiplies. `--samples` times the whole stage on a run without pictures that has such hashes. `--photographs` tells how
many copies of photographs, made in several ways, lie within some distances of their originals, and how many different
photographs; and how far captions are apart.
"""

import argparse
import itertools
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from dataengine import catalog, schema
from dataengine.run import Mark, Run
from stages import dedup, hamming
from stages.measure.fingerprint import simhash

sys.path.insert(0, str(Path(__file__).parent))  # for `degradation`, where it is used: it loads much

_WHOLE = 200_000  # hashes of which all blocks are compared
_SAMPLE = 4_000  # blocks that are timed where there are more


def planted(count: int, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """uint64 (count,), and which hash each of the last tenth is a copy of."""
    rng = np.random.default_rng(count)
    hashes = rng.integers(0, 2**64, count, dtype=np.uint64)
    of = rng.integers(0, count - count // 10, count // 10)
    changed = hashes[of]
    for _ in range(distance):
        changed = changed ^ (np.uint64(1) << rng.integers(0, 64, len(of)).astype(np.uint64))
    hashes[count - len(of) :] = changed
    return hashes, of


def check(hashes: np.ndarray, of: np.ndarray, pairs: np.ndarray, distance: int) -> None:
    """Stop with a message when a planted pair is missing, or pairs of some hashes are not those of brute force."""
    count = len(hashes)
    keys = pairs[:, 0] * count + pairs[:, 1]
    if not np.isin(of * count + np.arange(count - len(of), count), keys).all():
        sys.exit("a planted pair was not found")
    for one in np.random.default_rng(0).integers(0, count, 200).tolist():
        near = np.flatnonzero(np.bitwise_count(hashes ^ hashes[one]) <= distance)
        found = np.concatenate([pairs[pairs[:, 0] == one, 1], pairs[pairs[:, 1] == one, 0]])
        if sorted(found.tolist()) != [other for other in near.tolist() if other != one]:
            sys.exit(f"the pairs of hash {one} are not those of brute force")


def blockwise(hashes: np.ndarray, distance: int) -> float:
    """Seconds to compare all pairs, reckoned from the first blocks where they are many."""
    sides = -(-len(hashes) // 2048)
    blocks = sides * (sides + 1) // 2
    timed = blocks if len(hashes) <= _WHOLE else _SAMPLE
    began = time.process_time()
    for _ in itertools.islice(hamming._compared(hashes, distance), timed):
        pass
    return (time.process_time() - began) * blocks / timed


def peak() -> float:
    """MiB at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def compare(sizes: list[int], distance: int) -> None:
    print(f"{'hashes':>10}{'pairs':>10}{'index s':>9}{'blocks s':>10}{'ratio':>8}{'growth':>8}{'peak MiB':>10}  bands")
    hamming.near_pairs(planted(20_000, distance)[0], distance)  # warm
    before = None
    for size in sizes:
        hashes, of = planted(size, distance)
        began = time.process_time()
        pairs = hamming.near_pairs(hashes, distance)
        seconds, most = time.process_time() - began, peak()
        check(hashes, of, pairs, distance)
        blocks = blockwise(hashes, distance)
        growth = f"{np.log(seconds / before[1]) / np.log(size / before[0]):.2f}" if before else ""
        bands = ", ".join(f"{b.width} bits within {b.radius}" for b in hamming._plan(hashes, distance) or [])
        print(
            f"{size:>10,}{len(pairs):>10,}{seconds:>9.2f}{blocks:>10.1f}{blocks / seconds:>7.0f}×{growth:>8}"
            f"{most:>10.0f}  {bands or 'all pairs'}",
            flush=True,
        )
        before = size, seconds


def reckon(count: int, distance: int, ranges: int = 8) -> None:
    """The time for many hashes, by that of some ranges of two wide bands."""
    hashes = np.random.default_rng(0).integers(0, 2**64, count, dtype=np.uint64)
    before = peak()
    bands = hamming._bands(2, distance)
    sorting = looking = found = 0.0
    for band in bands:
        began = time.process_time()
        order, by_value, edges = hamming._sorted(hashes, band)
        sorting += time.process_time() - began
        some = np.random.default_rng(1).choice(band.ranges, ranges, replace=False).tolist()
        began = time.process_time()
        for i, j in hamming._looked_up(band, by_value, edges, some):
            near = np.bitwise_count(by_value[i] ^ by_value[j]) <= distance
            found += len(i) * band.ranges / ranges
            np.sort(order[np.stack([i[near], j[near]], axis=1)], axis=1)
        looking += (time.process_time() - began) * band.ranges / ranges
        del order, by_value
    look_ups = sum(band.look_ups for band in bands) / 2
    print(f"{count:,} hashes, bands of {' and '.join(f'{b.width} bits within {b.radius}' for b in bands)}, each hash:")
    print(f"  sorting {sorting / count * 1e6:.2f} µs, {look_ups:,.0f} look-ups {looking / count * 1e6:.1f} µs, that is")
    print(f"  {looking / count / look_ups * 1e9:.2f} ns a look-up; {found / count:.1f} comparisons of what was found;")
    print(f"  {(peak() - before) * 2**20 / count:.0f} bytes beside it. Together {(sorting + looking) / 3600:.2f} hours")


def whole_stage(samples: int) -> None:
    hashes, _ = planted(samples, 6)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(f"{folder}/run")
        for number, first in enumerate(range(0, samples, 4096)):
            some = hashes[first : first + 4096]
            rng = np.random.default_rng([1, first])
            digests = [pa.array([rng.bytes(16).hex() for _ in some]) for _ in range(3)]
            sides = {side: pa.array(rng.integers(128, 2048, len(some)), pa.int32()) for side in ("width", "height")}
            nothing = {f.name: pa.nulls(len(some), f.type) for f in schema.SAMPLES}
            whole = pa.table({**nothing, **sides, "sample_id": digests[0]}).select(schema.SAMPLES.names)
            fingerprint = [digests[0], some, some, *digests[1:], pa.array(some)]
            names = ["sample_id", "phash", "dhash", "digest", "pixel_digest", "caption_hash"]
            for dataset, table in (
                ("samples", whole.cast(schema.SAMPLES)),
                ("signals/fingerprint", pa.table(dict(zip(names, fingerprint, strict=True)))),
            ):
                with run.writer(run.part(dataset, number), table.schema) as writer:
                    writer.write(table)
                    writer.commit(Mark("benchmark", "", "", inputs=len(some)))
        db, before = catalog.connect(run), peak()
        began, used = time.perf_counter(), time.process_time()
        twins = sum(
            batch.num_rows - batch["duplicate_of"].null_count for batch in dedup.Dedup(0, dedup.Params()).rows(db)
        )
        at_rest = sum(run.fs.size(path) for path in run.files("signals/fingerprint")) / samples
        print(
            f"{samples:,} samples, {at_rest:.0f} bytes of fingerprints each; {twins:,} duplicates: "
            f"{time.perf_counter() - began:.1f} s, of processors {time.process_time() - used:.1f} s, "
            f"{peak():,.0f} MiB at most, {before:,.0f} MiB before"
        )


def photographs(folders: list[Path]) -> None:
    import degradation

    pictures = list(degradation._photographs(folders))
    whole = degradation._hashes([degradation.jpeg(p) for p in pictures])
    apart = bits(itertools.combinations(whole, 2))
    limits = ((6, 64), (6, 10), (6, 14), (10, 14))
    print(f"{len(pictures)} photographs; pHash and dHash differ in at most\n")
    print("| | " + " | ".join(f"{p}, {'any' if d == 64 else d}" for p, d in limits) + " |")
    print("|---|" + "--:|" * len(limits))
    for name, make in degradation.TWINS.items():
        copies = [make(p, np.random.default_rng([1, i])) for i, p in enumerate(pictures)]
        near = bits(zip(whole, degradation._hashes(copies), strict=True))
        print(f"| {name} | " + " | ".join(f"{(near <= limit).all(axis=1).mean():.2f}" for limit in limits) + " |")
    print(
        "| pairs of different ones | " + " | ".join(f"{(apart <= limit).all(axis=1).sum()}" for limit in limits) + " |"
    )
    print(f"\nThe nearest different ones: {apart[:, 0].min()} bits of pHash, {apart[:, 1].min()} of dHash")
    captions()


def captions() -> None:
    """By how many bits of SimHash captions differ, and by how many from themselves without one of their words."""
    from demo.photographs import CAPTIONED

    short = [caption for *_, caption in CAPTIONED]
    for name, texts in (("short", short), ("of four", [" ".join(short[i : i + 4]) for i in range(0, 16, 4)])):
        pairs = [(text, " ".join(np.delete(text.split(), i))) for text in texts for i in range(len(text.split()))]
        words = np.mean([len(text.split()) for text in texts])
        apart = bits(((simhash(a),), (simhash(b),)) for a, b in itertools.combinations(texts, 2))
        less = bits(((simhash(a),), (simhash(b),)) for a, b in pairs)
        print(
            f"Captions, {name}, {words:.0f} words: without a word {np.median(less):.0f} bits "
            f"(a tenth over {np.quantile(less, 0.9):.0f}), different ones from {apart.min()} on"
        )


def bits(pairs: object) -> np.ndarray:
    """By how many bits the hashes of each pair differ, int64 (n, 2): pHash, dHash."""
    return np.array([[(x ^ y).bit_count() for x, y in zip(a, b, strict=True)] for a, b in pairs])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--distance", type=int, default=6)
    parser.add_argument("--reckon", type=int, help="reckon the time for so many hashes from a part")
    parser.add_argument("--samples", type=int, help="time the whole stage instead")
    parser.add_argument("--photographs", nargs="*", type=Path, help="compare photographs instead; further folders")
    given = parser.parse_args()
    if given.reckon:
        reckon(given.reckon, given.distance)
    elif given.samples:
        whole_stage(given.samples)
    elif given.photographs is not None:
        photographs(given.photographs)
    else:
        compare(given.sizes, given.distance)


if __name__ == "__main__":
    main()
