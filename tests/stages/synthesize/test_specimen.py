import numpy as np

from fonts import catalog
from stages.synthesize import specimen


def test_a_sheet_has_a_row_with_ink_for_each_family_of_a_language():
    families = catalog.for_language("ta")
    latin = next(family for family in catalog.for_language("en") if family.name == "Noto Sans")
    pixels = specimen.sheet("ta", families, latin)
    rows = pixels[: 92 * len(families)].reshape(len(families), 92, 1600, 3)
    for row in rows:
        dark = row.sum(axis=2) < 300
        assert dark[:, :340].sum() > 60 and dark[:, 360:].sum() > 1500
    assert np.ptp(rows.reshape(len(families), -1).mean(axis=1)) > 0  # no two faces are alike
