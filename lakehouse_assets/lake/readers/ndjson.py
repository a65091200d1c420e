"""NDJSON: one JSON object a line.

Belongs here: lines to records. Not here: values (`json_text`).

Programs write their keys in one order, so the first object of a file becomes a pattern, and the lines that match it are
taken apart by Polars at once, seven times as fast as by Python's parser and to the same text. Every other line goes
through Python's parser: an unusual order, a nested value, an escape, or a line that is broken and goes to quarantine
without harm to its neighbours.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, NamedTuple

import polars as pl

from lakehouse_assets.lake.readers.content import Faults, FileContent, FileRefusedError, file_columns, fold, no_rows
from lakehouse_assets.lake.readers.json_text import ROW, NotAnObjectError, ObjectRows, Parts, parse_object
from lakehouse_assets.lake.readers.spool import COPY_BYTES, HashedFile, Reading, marked_encoding

LONGEST_LINE = 64 << 20
LINE, AT = "line", "at"
NOT_BLANK = r"[^ \t\r]"
RECORD = re.compile(rb"[^ \t\r\n][^\n]*")
FEWEST_ALIKE = 1000  # below, compiling the pattern costs more than it saves
BLANKS = r"[ \t\r]*"
VALUE = r'("[^"\\\x00-\x1f]*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)'
MOST_KEYS = 200
MOST_TEMPLATES = 3


class Template(NamedTuple):
    """The keys of a flat object in the order they stand, and the pattern of all objects written alike."""

    keys: tuple[str, ...]
    pattern: str


def read_ndjson(reading: Reading) -> FileContent:
    """The content of a file of JSON lines, in UTF-8 or, with a byte order mark, UTF-16 or UTF-32.

    A required column may be missing in a line, which is then judged as a null; a file where no line has it is refused.
    Raises FileRefusedError.
    """
    with reading.path.open("rb") as stream:
        marked = marked_encoding(stream.read(4))
    if marked in {"utf-16", "utf-32"}:
        reading.to_utf8(marked)
    reading.encoding = marked or reading.encoding
    lines = LineReader(reading)
    with reading.open() as stream:
        for block in blocks_of_lines(stream, reading):
            lines.feed(block)
    lines.objects.check_columns()
    sha256 = reading.landed.sha256()
    malformed = lines.faults.frame(reading.file, sha256)
    if malformed.height == lines.records:
        return FileContent(no_rows(reading.source), malformed, lines.records, sha256, reading.encoding)
    own = file_columns(reading.file, sha256, pl.col(ROW) + 1, pl.col("_extra"))
    rows = lines.parts.frame().select(*reading.source.text_columns, **own)
    return FileContent(rows, malformed, lines.records, sha256, reading.encoding)


def blocks_of_lines(stream: HashedFile | IO[bytes], reading: Reading) -> Iterator[bytes]:
    """The file in blocks that end with a line, without byte order mark."""
    carry: list[bytes] = []
    held = 0
    first = True
    while block := stream.read(COPY_BYTES):
        block = block.removeprefix(codecs.BOM_UTF8) if first else block
        first = False
        head, mark, tail = block.rpartition(b"\n")
        if mark:
            yield b"".join((*carry, head))
            carry, held = [], 0
        carry.append(tail)
        held += len(tail)
        if held > LONGEST_LINE:
            reason = f"{reading.file.path}: a line does not end within {LONGEST_LINE >> 20} MiB: is this NDJSON?"
            raise FileRefusedError("too_large", reason)
    if held:
        yield b"".join(carry)


@dataclass
class LineReader:
    """The state of a pass over the lines: records and lines so far, the template, and what came of them."""

    reading: Reading
    records: int = 0
    line: int = 1
    template: Template | None = None
    templates: int = 0

    def __post_init__(self) -> None:
        self.faults = Faults()
        self.objects = ObjectRows(self.reading)
        self.parts = Parts(self.reading.spool)

    def feed(self, block: bytes) -> None:
        """Take in whole lines."""
        texts, undecodable = _texts(block)
        lines = texts.to_frame().with_row_index(AT).filter(pl.col(LINE).str.contains(NOT_BLANK))
        lines = lines.with_row_index(ROW, self.records).cast({ROW: pl.Int64})
        frames = []
        if lines.height >= FEWEST_ALIKE:
            lines, alike = self._take_alike(lines)
            frames.append(alike)
        for row, at, text in lines.iter_rows():
            self._take(row, at, undecodable.get(at, text), decodable=at not in undecodable)
        if self.objects.rows:
            frames.append(self.objects.take())
        if frames:
            self.parts.add(pl.concat(frames).sort(ROW) if len(frames) > 1 else frames[0])
        # Counted on the bytes, so that rows lost in the parse would show.
        self.records += len(RECORD.findall(block))
        self.line += texts.len()

    def _take(self, row: int, at: int, text: str, *, decodable: bool) -> None:
        rules = [] if decodable else ["invalid_encoding"]
        try:
            if decodable:
                self.objects.add(parse_object(text), row)
        except NotAnObjectError:
            rules = ["not_an_object"]
        except UnicodeEncodeError:
            rules = ["invalid_encoding"]
        except ValueError:
            rules = ["invalid_json", "nul_byte"] if "\0" in text else ["invalid_json"]
        if rules:
            self.faults.add(rules, text.removesuffix("\r"), row + 1, self.line + at)

    def _take_alike(self, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The lines that do not match the template, and the rows of those that do."""
        template = self.template or self._new_template(lines)
        if template is None:
            return lines, self.objects.take()
        found = lines.with_columns(pl.col(LINE).str.extract_groups(template.pattern).alias("values"))
        is_alike = pl.col("values").struct.field("1").is_not_null()
        others = found.filter(~is_alike).select(lines.columns)
        if others.height > lines.height // 2:
            self.template = self._new_template(others)
        self.objects.see(template.keys)
        return others, found.lazy().filter(is_alike).select(**self._columns(template)).collect()

    def _columns(self, template: Template) -> dict[str, pl.Expr]:
        values = {key: pl.col("values").struct.field(str(i)) for i, key in enumerate(template.keys, 1)}
        columns = {self.objects.column_of(key): _unquoted(value) for key, value in values.items()}
        unknown = [key for key in template.keys if self.objects.column_of(key) is None]
        parts = [
            part
            for i, key in enumerate(unknown)
            for part in (pl.lit(f"{',' if i else '{'}{json.dumps(key, ensure_ascii=False)}:"), values[key])
        ]
        missing = pl.lit(None, pl.String)
        own = {column: columns.get(column, missing) for column in self.reading.source.text_columns}
        return {ROW: pl.col(ROW), **own, "_extra": pl.concat_str(*parts, pl.lit("}")) if parts else missing}

    def _new_template(self, lines: pl.DataFrame) -> Template | None:
        """The template of the first of these lines, None where it is not flat or too many have been tried."""
        self.templates += 1
        self.template = template_of(lines[LINE][0] or "") if self.templates <= MOST_TEMPLATES else None
        return self.template


def template_of(line: str) -> Template | None:
    """The template of a flat object without escapes, keys that stand twice, or two keys of one column's name."""
    try:
        record = parse_object(line)
    except ValueError:
        return None
    keys = tuple(record)
    nested = any(isinstance(value, (dict, list)) for value in record.values())
    if nested or "\\" in line or not 0 < len(keys) <= MOST_KEYS or len({fold(key) for key in keys}) < len(keys):
        return None
    members = (pl.escape_regex(f'"{key}"') + BLANKS + ":" + BLANKS + VALUE for key in keys)
    pattern = f"^{BLANKS}\\{{{BLANKS}" + f"{BLANKS},{BLANKS}".join(members) + f"{BLANKS}\\}}{BLANKS}$"
    return Template(keys, pattern)


def _unquoted(value: pl.Expr) -> pl.Expr:
    return pl.when(value != "null").then(value.str.strip_chars('"'))


def _texts(block: bytes) -> tuple[pl.Series, dict[int, str]]:
    """The lines as text, and by index those that are none, escaped."""
    try:
        whole = pl.Series(LINE, [block.decode()], dtype=pl.String)
        return whole.str.split("\n").explode(), {}
    except UnicodeDecodeError:
        undecodable = {}
        texts = []
        for at, line in enumerate(block.split(b"\n")):
            try:
                texts.append(line.decode())
            except UnicodeDecodeError:
                texts.append(line.decode("utf-8", "backslashreplace"))
                undecodable[at] = texts[-1]
        return pl.Series(LINE, texts, dtype=pl.String), undecodable
