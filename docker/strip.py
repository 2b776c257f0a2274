"""strip.py FOLDER: drop debugging information from its shared libraries, as `strip` does, which images lack.

uvloop's wheel alone carries 14 MB of it. It lies behind all that is loaded, and the loader needs neither it
nor the table of sections: the file ends where the last loaded byte is. Of ELF only 64 bits, little-endian.
"""

import struct
import sys
from pathlib import Path

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
PROGRAM, SECTION = struct.Struct("<IIQQQQQQ"), struct.Struct("<IIQQQQIIQQ")


def stripped(library: bytes) -> bytes:
    """The library without its debugging information; as it is, if it has none."""
    if library[:6] != b"\x7fELF\x02\x01":
        return library
    header = list(HEADER.unpack_from(library))
    programs, sections, (size, count), (section_size, section_count, names) = (
        header[5],
        header[6],
        header[9:11],
        header[11:14],
    )
    loaded = [PROGRAM.unpack_from(library, programs + size * index) for index in range(count)]
    tables = [SECTION.unpack_from(library, sections + section_size * index) for index in range(section_count)]
    if not any(library.startswith(b".debug_", tables[names][4] + table[0]) for table in tables):
        return library
    end = max(offset + length for _, _, offset, _, _, length, *_ in loaded)
    header[6], header[12], header[13] = 0, 0, 0
    return HEADER.pack(*header) + library[HEADER.size : end]


if __name__ == "__main__":
    saved = 0
    for file in Path(sys.argv[1]).rglob("*.so*"):
        if not file.is_symlink():
            before = file.read_bytes()
            after = stripped(before)
            saved += len(before) - len(after)
            if len(after) < len(before):
                file.write_bytes(after)
    print(f"{saved / 1e6:.1f} MB of debugging information dropped")
