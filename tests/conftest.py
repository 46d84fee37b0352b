"""Small real runs on disk for the tests of everything that reads one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from dataengine import schema
from dataengine.run import Mark, Run
from dataengine.sample import Sample, samples_table


@pytest.fixture
def make_run(tmp_path) -> Callable[..., Run]:
    """Writes samples, given as dicts of what differs, and signals, given as columns, in parts of `part` rows."""

    def make(samples: Sequence[Mapping[str, Any]], part: int = 100, **signals: Mapping[str, Sequence[Any]]) -> Run:
        run = Run(str(tmp_path / "run"))
        columns = schema.with_image_feature(schema.SAMPLES)
        plain = {"source": "test", "uri": "", "encoded": b"x", "format": "png", "width": 300, "height": 300}
        made = [Sample(**{"sample_id": f"id{i:04d}", **plain, **given}) for i, given in enumerate(samples)]
        for index, start in enumerate(range(0, len(made), part)):
            rows = made[start : start + part]
            write(run, "samples", index, samples_table(rows).cast(columns), inputs=len(rows))
            for name, values in signals.items():
                ids = pa.array([s.sample_id for s in rows], pa.string())
                table = pa.table({"sample_id": ids, **{k: v[start : start + part] for k, v in values.items()}})
                write(run, f"signals/{name}", index, table)
        return run

    return make


def write(run: Run, dataset: str, index: int, table: pa.Table, inputs: int = 0) -> None:
    with run.writer(run.part(dataset, index), table.schema) as writer:
        writer.write(table)
        writer.commit(Mark("test", "", "", inputs=inputs))


@pytest.fixture
def write_part() -> Callable[..., None]:
    """Writes one part of any dataset: (run, dataset, index, table)."""
    return write
