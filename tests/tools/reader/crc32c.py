"""CRC-32C (Castagnoli), eight bytes at a time by tables."""


def _tables():
    first = []
    for i in range(256):
        c = i
        for _ in range(8):
            c = (c >> 1) ^ (0x82F63B78 if c & 1 else 0)
        first.append(c)
    tables = [first]
    for _ in range(7):
        tables.append([(c >> 8) ^ first[c & 255] for c in tables[-1]])
    return tables


_T = _tables()


def crc32c(data):
    t0, t1, t2, t3, t4, t5, t6, t7 = _T
    c = 0xFFFFFFFF
    end = len(data) & ~7
    for i in range(0, end, 8):
        c ^= int.from_bytes(data[i:i + 4], "little")
        h = int.from_bytes(data[i + 4:i + 8], "little")
        c = (t7[c & 255] ^ t6[c >> 8 & 255] ^ t5[c >> 16 & 255] ^ t4[c >> 24]
             ^ t3[h & 255] ^ t2[h >> 8 & 255] ^ t1[h >> 16 & 255] ^ t0[h >> 24])
    for b in data[end:]:
        c = (c >> 8) ^ t0[(c ^ b) & 255]
    return c ^ 0xFFFFFFFF
