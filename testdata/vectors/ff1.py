"""FF1 of NIST SP 800-38G, written from the standard, and the serial numbers on it.

Slow and plain on purpose: it is a second opinion on the Go code, not a copy of it.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ciph(key, block):
    e = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return e.update(block) + e.finalize()


def prf(key, data):
    """Algorithm 6: CBC-MAC without padding, last block."""
    y = bytes(16)
    for i in range(0, len(data), 16):
        y = ciph(key, bytes(a ^ b for a, b in zip(y, data[i:i + 16])))
    return y


def num(digits, radix):
    x = 0
    for d in digits:
        x = x * radix + d
    return x


def string(x, radix, m):
    out = [0] * m
    for i in range(m):
        out[m - 1 - i] = x % radix
        x //= radix
    assert x == 0
    return out


def encrypt(key, tweak, digits, radix):
    """Algorithm 7, FF1.Encrypt."""
    n, t = len(digits), len(tweak)
    u = n // 2
    v = n - u
    a, b = digits[:u], digits[u:]
    bits = 0
    while (1 << bits) < radix ** v:  # ceil(v * log2(radix))
        bits += 1
    blen = (bits + 7) // 8
    d = 4 * ((blen + 3) // 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256]) + n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in range(10):
        q = tweak + bytes((-t - blen - 1) % 16) + bytes([i]) + num(b, radix).to_bytes(blen, "big")
        r = prf(key, p + q)
        s = r
        j = 1
        while len(s) < d:
            s += ciph(key, bytes(x ^ y for x, y in zip(r, j.to_bytes(16, "big"))))
            j += 1
        y = int.from_bytes(s[:d], "big")
        m = u if i % 2 == 0 else v
        c = (num(a, radix) + y) % radix ** m
        a, b = b, string(c, radix, m)
    return a + b


def self_check():
    """The nine FF1 samples that NIST publishes with SP 800-38G."""
    full = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
    digits, letters = "0123456789", "0123456789abcdefghi"
    want = {
        16: ("2433477484", "6124200773", "a9tv40mll9kdu509eum"),
        24: ("2830668132", "2496655549", "xbj3kv35jrawxv32ysr"),
        32: ("6657667009", "1001623463", "xs8a0azh2avyalyzuwd"),
    }
    base36 = "0123456789abcdefghijklmnopqrstuvwxyz"
    for size, results in want.items():
        key = bytes.fromhex(full)[:size]
        for (text, radix, tweak), result in zip(
                ((digits, 10, ""), (digits, 10, "39383736353433323130"), (letters, 36, "3737373770717273373737")), results):
            got = encrypt(key, bytes.fromhex(tweak), [base36.index(c) for c in text], radix)
            assert "".join(base36[d] for d in got) == result, (size, radix, tweak)


def mul(a, b):
    """Product in GF(32) modulo x^5 + x^2 + 1."""
    p = 0
    while b:
        if b & 1:
            p ^= a
        a <<= 1
        if a & 32:
            a ^= 0b100101
        b >>= 1
    return p


def generator():
    """(x - a)(x - a^2)(x - a^3), a = x, highest coefficient first."""
    g, root = [1], 2
    for _ in range(3):
        g = [x ^ y for x, y in zip(g + [0], [0] + [mul(c, root) for c in g])]
        root = mul(root, 2)
    return g


def check(symbols):
    """Three check symbols for nineteen: the remainder of m(x) x^3, then XOR 17, 9, 28."""
    g = generator()
    rest = list(symbols) + [0, 0, 0]
    for i in range(len(symbols)):
        f = rest[i]
        for j, c in enumerate(g):
            rest[i + j] ^= mul(f, c)
    return [x ^ y for x, y in zip(rest[-3:], (17, 9, 28))]


def is_codeword(symbols):
    """All three syndromes are zero once the offset is taken away."""
    word = list(symbols[:19]) + [x ^ y for x, y in zip(symbols[19:], (17, 9, 28))]
    root = 2
    for _ in range(3):
        s = 0
        for c in word:
            s = mul(s, root) ^ c
        if s:
            return False
        root = mul(root, 2)
    return True


def number(epoch, issuer, key, counter):
    head = (epoch + issuer)
    plain = string(counter, 32, 16)
    body = [ALPHABET.index(c) for c in head] + encrypt(key, head.encode(), plain, 32)
    word = body + check(body)
    assert is_codeword(word)
    return "".join(ALPHABET[s] for s in word)


def grouped(n):
    return "-".join([n[:3]] + [n[i:i + 4] for i in range(3, 19, 4)] + [n[19:]])


def packed(n):
    return (num([ALPHABET.index(c) for c in n], 32) << 2).to_bytes(14, "big")
