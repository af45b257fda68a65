"""Files as lines of cells: CSV in two encodings, XLSX, or one of them in a zip.

One line is in memory at a time. A file is refused before it is unpacked where it would grow beyond
its limit, so that a small bomb stays small.
"""

from __future__ import annotations

import codecs
import csv
import io
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from shared.gateway.register import WrongRegister

UNPACKED_BYTES_MAX: Final = 256 * 1024 * 1024
PARTS_MAX: Final = 200
COLUMNS_MAX: Final = 200
LINES_MAX: Final = 1_000_100
"""A million rows and what stands around them."""

_CHUNK: Final = 1024 * 1024
_WORKBOOK: Final = "xl/workbook.xml"
_ENCRYPTED: Final = 0x1

Line = tuple[int, Sequence[str]]


class Lines:
    """The lines of a file with their numbers; reading them raises WrongRegister."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sheet = False
        """Whether they came from a workbook; known once the first one was read."""

    def __iter__(self) -> Iterator[Line]:
        for number, cells in self._opened(self._file, inside=False):
            if number > LINES_MAX:
                raise WrongRegister(
                    f"more than {LINES_MAX} lines: order a register for each day",
                    f"больше {LINES_MAX} строк: закажите реестр за каждый день отдельно",
                    number,
                )
            yield number, cells

    def _opened(self, file: IO[bytes], *, inside: bool) -> Iterator[Line]:
        begins = file.read(2)
        file.seek(0)
        if not begins:
            raise WrongRegister("the file is empty: send it anew", "файл пуст: пришлите его заново")
        if begins != b"PK":
            yield from _text_lines(file)
            return
        try:
            with zipfile.ZipFile(file) as archive:
                yield from self._packed(file, archive, inside=inside)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError) as error:
            raise _broken() from error

    def _packed(self, file: IO[bytes], archive: zipfile.ZipFile, *, inside: bool) -> Iterator[Line]:
        parts = [part for part in archive.infolist() if not part.is_dir()]
        _check_size(parts)
        if any(part.filename == _WORKBOOK for part in parts):
            self.sheet = True
            file.seek(0)
            yield from _sheet_lines(file)
            return
        if inside or len(parts) != 1 or parts[0].flag_bits & _ENCRYPTED:
            raise WrongRegister(
                f"the archive holds {len(parts)} files or a password: send one file, unlocked",
                f"в архиве {len(parts)} файлов или пароль: пришлите один файл без пароля",
            )
        with archive.open(parts[0]) as part, tempfile.SpooledTemporaryFile(_CHUNK) as unpacked:
            while chunk := part.read(_CHUNK):
                unpacked.write(chunk)
            unpacked.seek(0)
            yield from self._opened(unpacked, inside=True)


def _check_size(parts: Sequence[zipfile.ZipInfo]) -> None:
    if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX:
        most = UNPACKED_BYTES_MAX // 1024**2
        raise WrongRegister(
            f"the file unpacks to more than {most} MiB: order a register for each day",
            f"файл распаковывается больше чем в {most} МиБ: закажите реестр за каждый день",
        )


def _text_lines(file: IO[bytes]) -> Iterator[Line]:
    text = io.TextIOWrapper(file, encoding=_encoding(file), newline="")
    reader = csv.reader(text, delimiter=";", quotechar='"', strict=True)
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        raise WrongRegister(
            "a quotation mark is not closed, the file may be cut off: send it again",
            "не закрыта кавычка, файл мог оборваться: пришлите его ещё раз",
            reader.line_num,
        ) from error
    finally:
        text.detach()


def _encoding(file: IO[bytes]) -> str:
    """Return what the whole file can be read as; raises WrongRegister where it is neither."""
    possible = ["utf-8-sig", "windows-1251"]
    decoders = {name: codecs.getincrementaldecoder(name)() for name in possible}
    zeros = False
    while chunk := file.read(_CHUNK):
        zeros = zeros or b"\0" in chunk
        possible = [name for name in possible if _decodes(decoders[name], chunk)]
    possible = [name for name in possible if _decodes(decoders[name], b"", final=True)]
    file.seek(0)
    if zeros or not possible:
        raise WrongRegister(
            "neither UTF-8 nor Windows-1251: save the file as CSV in UTF-8",
            "ни UTF-8, ни Windows-1251: сохраните файл как CSV в UTF-8",
        )
    return possible[0]


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _sheet_lines(file: IO[bytes]) -> Iterator[Line]:
    try:
        book = load_workbook(file, read_only=True, data_only=False, keep_links=False)
        try:
            if len(book.worksheets) != 1:
                count = len(book.worksheets)
                raise WrongRegister(
                    f"the workbook has {count} sheets: leave the one with the register",
                    f"в книге {count} листов: оставьте один, с реестром",
                )
            sheet: Any = book.worksheets[0]
            sheet.reset_dimensions()  # what a writer claims of its size is not believed
            width = 0
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                width = max(width, min(len(cells), COLUMNS_MAX))
                blanks = [""] * (width - len(cells))  # a sheet leaves its last cells out
                yield number, [*map(_cell, cells[:COLUMNS_MAX]), *blanks]
        finally:
            book.close()
    except (KeyError, ValueError, TypeError, ParseError, InvalidFileException) as error:
        if isinstance(error, WrongRegister):
            raise
        raise _broken() from error


def _cell(value: Any) -> str:
    """Return a cell as text: of a number, the shortest one that means it, as its writer saw it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"
    if isinstance(value, datetime):
        return f"{value:%d.%m.%Y %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    # What is neither text nor number is a formula of several cells.
    return str(value) if isinstance(value, str | int) else "="


def _broken() -> WrongRegister:
    return WrongRegister(
        "the file is damaged or no register: send it again as CSV or XLSX",
        "файл повреждён или это не реестр: пришлите его ещё раз в CSV или XLSX",
    )
