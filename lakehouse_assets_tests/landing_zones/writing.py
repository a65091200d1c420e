"""Frames to the files of a landing zone, with a few lines that are no records.

Belongs here: folders, formats, lines with too few or too many fields. Not here: what the rows say
(`population`, `dirt`).
"""

from __future__ import annotations

import gzip
import io
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import numpy as np
import polars as pl

from lakehouse_assets_tests.landing_zones.dirt import spoil
from lakehouse_assets_tests.landing_zones.population import Population
from lakehouse_assets_tests.landing_zones.spec import Spec

# Of all dirty rows, so many have the wrong number of fields or are no JSON.
MALFORMED_SHARE = 0.05


def generate(root: Path, spec: Spec) -> None:
    """Writes the landing zone below the root, `<tenant>/crm/<source>/<ingest date>/<file>`."""
    for tenant in spec.tenants:
        rng = np.random.default_rng([spec.seed, 1, *tenant.encode()])
        days = [number for number in range(spec.days) if number == 0 or rng.random() >= spec.gaps]
        population = Population(spec, tenant, len(days))
        formats = cycle(spec.formats)
        for number in days:
            on = spec.first + timedelta(days=number)
            for source, clean in population.land(on, number).items():
                frame = spoil(clean, source, spec, on, rng)
                broken = rng.binomial(frame.height, spec.dirty * MALFORMED_SHARE)
                folder = root / tenant / "crm" / source / on.isoformat()
                folder.mkdir(parents=True, exist_ok=True)
                ending = next(formats)
                (folder / f"{source}.{ending}").write_bytes(encode(frame, ending, int(broken), rng))


def encode(frame: pl.DataFrame, ending: str, broken: int, rng: np.random.Generator) -> bytes:
    """A file's bytes, with so many lines that are no records in the middle of it."""
    kind, _, compression = ending.partition(".")
    buffer = io.BytesIO()
    if kind == "parquet":
        frame.write_parquet(buffer)
        return buffer.getvalue()
    middle = frame.height // 2
    lines = [malformed(kind, frame.width, number) for number in range(broken)]
    if kind == "csv":
        frame.head(middle).write_csv(buffer)
        buffer.write("".join(f"{line}\n" for line in lines).encode())
        frame.slice(middle).write_csv(buffer, include_header=False)
    else:
        for part, noise in ((frame.head(middle), lines), (frame.slice(middle), [])):
            part.write_ndjson(buffer)
            buffer.write("".join(f"{line}\n" for line in noise).encode())
        if kind == "json":
            buffer = io.BytesIO(b"[" + b",\n".join(buffer.getvalue().splitlines()) + b"]")
    return compress(buffer.getvalue(), compression)


def malformed(kind: str, width: int, number: int) -> str:
    if kind == "json":
        return ("17", '"loose text"', "null")[number % 3]
    if kind == "ndjson":
        return ('{"torn": ', "17", "not json")[number % 3]
    fields = (width + 1, width - 1, 2 * width)[number % 3]
    return ",".join(f"field {field}" for field in range(fields))


def compress(raw: bytes, compression: str) -> bytes:
    if compression == "gz":
        return gzip.compress(raw, compresslevel=1, mtime=0)
    if compression == "zst":
        # Polars packs what it writes: each line is a row of one column.
        packed = io.BytesIO()
        lines = pl.DataFrame({"line": raw.decode().removesuffix("\n").split("\n")})
        lines.write_csv(packed, include_header=False, quote_style="never", compression="zstd")
        return packed.getvalue()
    return raw
