"""In which encoding is a text file written? Told from all of its bytes, in one pass that keeps none of them.

UTF-8 cannot be mistaken: other encodings do not decode as it by chance. What is not UTF-8 is a guess of
charset-normalizer, and the result says so. A file that is UTF-8 but for some bytes (rows pasted together from two
sources) is read as UTF-8, those bytes as Windows-1252. No byte is ever dropped but NUL.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from beatingbert.errors import DataError, SettingsError

CHUNK = 1 << 22  # bytes
EVIDENCE = 1 << 16  # bytes of lines that are not ASCII, which are shown to the detector
RARE = 0.01  # share of bytes above 0x7F below which languages cannot be told apart
WESTERN = "cp1252"  # what spreadsheets on Windows write; it has every letter of Latin-1
BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NOT_ASCII_LINE = re.compile(rb"[^\r\n]*[\x80-\xff][^\r\n]*")
_STRAY = re.compile("[\udc80-\udcff]+")
_NOT_ASCII = re.compile("[^\x00-\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How a file's bytes become letters.

    Attributes:
        name: Python's name of it.
        how: what it was told from, in words.
        sure: False for a guess.
        sample: a few words whose letters the guess decides; empty where it is none.
        strays: runs of bytes that the encoding does not know; they are read as Windows-1252.
        nuls: NUL bytes, which are left out of an encoding of bytes.
    """

    name: str
    how: str
    sure: bool = True
    sample: str = ""
    strays: int = 0
    nuls: int = 0


def find_encoding(chunks: Iterable[bytes], given: str | None = None) -> Encoding:
    """Look at all bytes of a file.

    Args:
        chunks: the file, piece by piece.
        given: what the user says it is; only strays and NULs are then counted.

    Raises:
        SettingsError: Python has no encoding of the given name.
        DataError: the bytes are no text.
    """
    if given is not None:
        given = _known(given)
    utf8 = codecs.getincrementaldecoder(given or "utf-8")("surrogateescape")
    size = high = strays = letters = nuls = 0
    evidence: list[bytes] = []
    mark = ""
    for number, chunk in enumerate(chunks):
        if number == 0 and given is None:
            mark = next((name for bom, name in BOMS.items() if chunk.startswith(bom)), "") or _two_bytes(chunk)
            if mark.startswith(("utf-16", "utf-32")):
                return Encoding(name=mark, how="a byte order mark, or a zero in every other byte")
        size += len(chunk)
        nuls += chunk.count(0)
        text = utf8.decode(chunk)
        if chunk.isascii() and text.isascii():
            continue
        found = _NOT_ASCII.findall(text)
        lost = sum("\udc80" <= letter <= "\udcff" for letter in found)
        strays += len(_STRAY.findall(text)) if lost else 0
        letters += len(found) - lost
        high += len(chunk) - len(chunk.translate(None, bytes(range(128, 256))))
        if lost and sum(map(len, evidence)) < EVIDENCE:
            evidence += _NOT_ASCII_LINE.findall(chunk)[:1000]
    if given is not None:
        return Encoding(name=given, how="as you say", strays=strays, nuls=nuls)
    if nuls > size / 8:
        raise DataError(
            f"expected a text file, found one with {nuls:,} NUL bytes of {size:,}. Export the table as CSV."
        )
    if strays == 0:
        return Encoding(name=mark or "utf-8", how="every byte is valid UTF-8", nuls=nuls)
    if letters >= strays:
        how = f"valid UTF-8 but for {strays:,} places, which are read as Windows-1252"
        return Encoding(name=mark or "utf-8", how=how, strays=strays, nuls=nuls)
    return _guess(b"\n".join(evidence)[:EVIDENCE], high, size, nuls)


def lines_of(stream: BinaryIO, encoding: Encoding) -> Iterator[str]:
    """The file's lines with their ends as they are, strays read as Windows-1252 and NULs left out."""
    errors = "replace" if encoding.name.startswith(("utf-16", "utf-32")) else "surrogateescape"
    text = io.TextIOWrapper(stream, encoding=encoding.name, errors=errors, newline="")
    try:
        for line in text:
            if not line.isascii():
                line = _STRAY.sub(_as_western, line)
            yield line.replace("\0", "") if "\0" in line else line
    finally:
        if not stream.closed:
            text.detach()  # the stream belongs to whoever opened it


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError) as error:
        raise SettingsError(f"unknown encoding {name!r}; examples: utf-8, cp1252, latin-1, utf-16, gb18030") from error
    if not found._is_text_encoding:  # base64 and its like turn bytes into bytes
        raise SettingsError(f"{name!r} is no encoding of text; examples: utf-8, cp1252, latin-1, utf-16, gb18030")
    return found.name


def _two_bytes(chunk: bytes) -> str:
    """UTF-16 without its mark: mostly Latin letters have a zero in every other byte."""
    half = len(chunk) // 2
    for name, zeros in (("utf-16-be", chunk[0::2].count(0)), ("utf-16-le", chunk[1::2].count(0))):
        if half and 0.3 * half < zeros and chunk.count(0) < 1.1 * zeros:
            return name
    return ""


def _guess(evidence: bytes, high: int, size: int, nuls: int) -> Encoding:
    from charset_normalizer import from_bytes

    best = None if high < RARE * size else from_bytes(evidence).best()
    if best is None or WESTERN in best.could_be_from_charset:
        name, by = WESTERN, "what Windows writes" if best is None else "by its letters"
    else:
        name, by = best.encoding, "by its letters"
    how = f"a guess ({by}): not UTF-8, {high:,} byte{'s' * (high != 1)} above 0x7F"
    text = _STRAY.sub(_as_western, evidence.decode(name, "surrogateescape"))
    sample = max(re.findall(r"\S{0,20}[^\x00-\x7f]\S{0,20}", text)[:50], key=len, default="")
    return Encoding(name=name, how=how, sure=False, sample=sample, nuls=nuls)


def _as_western(match: re.Match[str]) -> str:
    data = bytes(ord(letter) - 0xDC00 for letter in match.group())
    try:
        return data.decode(WESTERN)
    except UnicodeDecodeError:  # five bytes that it leaves free; Latin-1 has a control character for each
        return data.decode("latin-1")
