"""Further photographs for the benchmarks: python benchmarks/photographs.py [build/photographs]

Fetches four Debian packages with `apt-get download` (170 MB; nothing is installed) and copies those of their pictures
that are photographs: landscapes, flowers, animals, streets, signs, things on tables; 62 of them, from 256 × 256 pixels
to 20 megapixels. Left out are drawings, second views of a scene, and what is blurred as shipped.
"""

import fnmatch
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_OPENCV = """
alphamat/input_images/plant.jpg data/aero1.jpg data/aloeL.jpg data/apple.jpg data/baboon.jpg data/basketball1.png
data/blox.jpg data/board.jpg data/box_in_scene.png data/building.jpg data/butterfly.jpg data/chicky_512.png
data/ela_original.jpg data/fruits.jpg data/graf1.png data/home.jpg data/left.jpg data/left01.jpg data/leuvenA.jpg
data/messi5.jpg data/orange.jpg data/rubberwhale1.png data/squirrel_cls.jpg data/stuff.jpg dnn_superres/butterfly.png
text/scenetext0?.jpg text/scenetext_segmented_word0?.jpg
"""
PACKAGES = {  # a package, and patterns of the photographs among its files
    "lomiri-wallpapers-16.04": """
        Bridge_* Dragonfly_* Picture_0B_* Picture_1A_* Wine_* aitzgorri_* free_* friends_* greentock_* life_*
        picosdeeuropa_* seeding_* sunset_*
    """,
    "lomiri-wallpapers-20.04": "Kleiber_*",
    "mate-backgrounds": "nature/*.jpg",
    "opencv-doc": _OPENCV,
}


def gather(folder: Path) -> int:
    """Copy the photographs into `folder`, and tell how many they are. Raises SystemExit where there is no apt-get."""
    if not shutil.which("apt-get"):
        raise SystemExit("apt-get is missing: give the benchmarks photographs of your own by --photos")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=temporary, check=True)
        for package, patterns in PACKAGES.items():
            [archive] = Path(temporary).glob(f"{package}_*.deb")
            unpacked = Path(temporary) / package
            subprocess.run(["dpkg-deb", "--extract", archive, unpacked], check=True)
            for path in sorted(p for p in unpacked.rglob("*") if p.is_file() and not p.is_symlink()):
                if any(fnmatch.fnmatch(str(path), f"*/{pattern}") for pattern in patterns.split()):
                    shutil.copyfile(path, folder / f"{package}-{path.name}")
    return len(list(folder.iterdir()))


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "build/photographs")
    print(f"{gather(place)} photographs in {place}")
