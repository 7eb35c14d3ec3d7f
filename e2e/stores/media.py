"""Pictures and videos, as small as they come."""

import struct
import zlib


def png(seed=0):
    """A picture of 2 × 2, unlike those of other seeds."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = bytes([0, seed % 256, seed // 256, 0, 1, 2, 3]) * 2
    header = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    whole = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


def video(size):
    """The beginning of an MP4, and as many bytes as asked for, no two parts alike."""
    start = b"\0\0\0\x18ftypisom\0\0\2\0isommp42"
    return start + b"".join(i.to_bytes(8, "big") * 128 for i in range(size // 1024 + 1))[: size - len(start)]
