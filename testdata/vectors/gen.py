"""Writes serial.json, seal.json and cms.json beside this file, or into the folder given.

    pip install -r requirements.txt && python gen.py [DIR]

Nothing here comes from the Go code: numbers, seals and signatures are built from the
descriptions in README.md and the standards, and everything is deterministic. The one RSA
key is taken from an existing cms.json; delete it there to have a new one.
"""

import hashlib
import json
import random
import sys
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

import cms
import ff1

HERE = Path(__file__).parent
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def seed(text):
    return hashlib.sha256(("meterai vectors " + text).encode()).digest()


# --- serial -----------------------------------------------------------------------------

def serial_vectors():
    rng = random.Random(20240903)
    numbers = []
    series = [("1", "ID", seed("serial key 1")), ("A", "PX", seed("serial key A")), ("Z", "0Z", bytes(32)), ("0", "00", bytes([255]) * 32)]
    counters = [0, 1, 2, 31, 32, 999_999_999, 2 ** 32, 2 ** 40, 2 ** 48 - 1]
    for epoch, issuer, key in series:
        issuer = issuer.replace("I", "1")
        for c in counters + [rng.randrange(2 ** 48) for _ in range(4)]:
            n = ff1.number(epoch, issuer, key, c)
            numbers.append({"epoch": epoch, "issuer": issuer, "key": key.hex(), "counter": c,
                            "number": n, "grouped": ff1.grouped(n), "packed": ff1.packed(n).hex()})
    return {
        "about": "serial numbers; see README.md",
        "numbers": numbers,
        "check": [check_case(rng) for _ in range(20)] + [
            {"body": c * 19, "check": "".join(ff1.ALPHABET[s] for s in ff1.check([ff1.ALPHABET.index(c)] * 19))} for c in "0Z"],
        "parse": parse_cases(numbers[0]["number"], numbers[17]["number"], rng),
    }


def check_case(rng):
    body = [rng.randrange(32) for _ in range(19)]
    return {"body": "".join(ff1.ALPHABET[s] for s in body), "check": "".join(ff1.ALPHABET[s] for s in ff1.check(body))}


def parse_cases(n, other, rng):
    g = ff1.grouped(n)
    ok = lambda text, of, what: {"what": what, "text": text, "expect": "accepted", "number": of}
    no = lambda text, what: {"what": what, "text": text, "expect": "refused"}
    # With a 1 and a 0 in the series, so that the look-alikes have something to stand for.
    look = n.replace("1", "l").replace("0", "o")
    cases = [
        ok(n, n, "as it is"), ok(g, n, "as printed"), ok(g.lower(), n, "lower case"), ok(look, n, "l for 1 and o for 0"),
        ok(n.replace("1", "I").replace("0", "O"), n, "I for 1 and O for 0"), ok(" " + g.replace("-", " "), n, "spaces"),
        ok(".".join(n), n, "a dot after every symbol"), ok(other, other, "another series"),
        no("", "nothing"), no("-", "separators only"), no(n[:-1], "21 symbols"), no(n + "0", "23 symbols"),
        no(n.replace(n[5], "U", 1), "U is no symbol"), no("*" + n[1:], "an asterisk"), no(n[:10] + "\u0660" + n[11:], "a digit of another script"),
        no("0" * 22, "all zeros"), no(n[::-1], "backwards"),
    ]
    symbols = [ff1.ALPHABET.index(c) for c in n]
    text = lambda s: "".join(ff1.ALPHABET[x] for x in s)
    for count in (1, 2, 3):
        for k in range(6):
            wrong = list(symbols)
            for at in rng.sample(range(22), count):
                wrong[at] ^= rng.randrange(1, 32)
            assert not ff1.is_codeword(wrong)
            cases.append(no(text(wrong), "%d wrong symbol%s" % (count, "s" if count > 1 else "")))
    for i, j in ((0, 1), (3, 4), (5, 17), (18, 19), (20, 21)):
        wrong = list(symbols)
        wrong[i], wrong[j] = wrong[j], wrong[i]
        if wrong != symbols:
            assert not ff1.is_codeword(wrong)
            cases.append(no(text(wrong), "symbols %d and %d swapped" % (i, j)))
    return cases


# --- seal -------------------------------------------------------------------------------

def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def pkcs8(key):
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).hex()


def seal_header(f, key):
    alg = 1 if isinstance(key, ed25519.Ed25519PrivateKey) else 2
    tlvs = b"".join(bytes([t["type"], len(t["value"]) // 2]) + bytes.fromhex(t["value"]) for t in f["tlvs"])
    return (bytes([1 << 4 | alg, (1 if f["specimen"] else 0) | (2 if f["tlvs"] else 0)]) + hashlib.sha256(spki(key)).digest()[:4]
            + ff1.packed(f["serial"]) + f["issued"].to_bytes(5, "big") + f["value"].to_bytes(4, "big")
            + f["document_length"].to_bytes(5, "big") + bytes.fromhex(f["document_digest"]) + tlvs)


def seal_sign(header, key):
    message = b"meterai seal v1\0" + hashlib.sha256(spki(key)).digest() + header
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return message, key.sign(message)
    r, s = cms.ecdsa_pair(key, message, hashes.SHA256())
    return message, r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")


def seal_text(prefix, encoded):
    return prefix + str(int.from_bytes(b"\x01" + encoded, "big"))


def seal_vectors(number):
    ed = ed25519.Ed25519PrivateKey.from_private_bytes(seed("seal key Ed25519"))
    p256 = ec.derive_private_key(int.from_bytes(seed("seal key P-256"), "big") % P256_ORDER, ec.SECP256R1())
    base = {"specimen": True, "serial": number, "issued": 1795248000, "value": 10000, "document_length": 86723,
            "document_digest": seed("document").hex(), "tlvs": []}
    fields = [
        ("plain", "", base),
        ("production, greatest values", "", dict(base, specimen=False, issued=2 ** 40 - 1, value=2 ** 32 - 1, document_length=2 ** 40 - 1)),
        ("least values", "", dict(base, issued=0, value=0, document_length=1, document_digest="00" * 32)),
        ("URL prefix", "HTTPS://METERAI.EXAMPLE/S/", base),
        ("two TLVs, one of them empty", "", dict(base, tlvs=[{"type": 0, "value": ""}, {"type": 7, "value": "6d65746572616921"}])),
        ("a TLV of 255 bytes", "HTTPS://METERAI.EXAMPLE/S/", dict(base, tlvs=[{"type": 127, "value": "a5" * 255}])),
    ]
    good = []
    for name, key in (("ed25519", ed), ("p256", p256)):
        for what, prefix, f in fields:
            header = seal_header(f, key)
            message, signature = seal_sign(header, key)
            good.append({"what": what, "key": name, "prefix": prefix, **f, "message": message.hex(),
                         "bytes": (header + signature).hex(), "text": seal_text(prefix, header + signature), "expect": "accepted"})
    return {
        "about": "seals; see README.md",
        "keys": {"ed25519": {"private": pkcs8(ed), "spki": spki(ed).hex(), "id": hashlib.sha256(spki(ed)).hexdigest()[:8]},
                 "p256": {"private": pkcs8(p256), "spki": spki(p256).hex(), "id": hashlib.sha256(spki(p256)).hexdigest()[:8]}},
        "seals": good,
        "refused_bytes": refused_bytes(base, ed, p256),
        "refused_texts": refused_texts(bytes.fromhex(good[0]["bytes"])),
        "refused_signatures": refused_signatures(base, ed, p256),
    }


def refused_bytes(base, ed, p256):
    """Encodings that are not canonical; each is signed correctly over what it says."""
    def case(what, change, key=ed, f=base, after=b""):
        header = bytearray(seal_header(f, key))
        header = bytes(change(header) or header)
        return {"what": what, "bytes": (header + seal_sign(header, key)[1] + after).hex(), "expect": "refused"}

    def put(at, value):
        def change(h):
            h[at:at + len(value)] = value
        return change

    tlvs = lambda *raw: (lambda h: bytes(h[:1]) + bytes([h[1] | 2]) + bytes(h[2:]) + b"".join(raw))
    n = int.from_bytes(ff1.packed(base["serial"]), "big")
    out = [
        case("version 0", put(0, b"\x01")), case("version 2", put(0, b"\x21")),
        case("algorithm 0", put(0, b"\x10")), case("algorithm 3", put(0, b"\x13")),
        case("a reserved flag", put(1, b"\x05")), case("the highest flag", put(1, b"\x81")),
        case("TLVs flagged, none there", put(1, b"\x03")),
        case("TLVs there, not flagged", lambda h: bytes(h) + b"\x01\x01\x00"),
        case("serial number with a wrong check code", put(6, (n ^ 4).to_bytes(14, "big"))),
        case("serial number with its last bit set", put(6, (n | 1).to_bytes(14, "big"))),
        case("serial number of zeros", put(6, bytes(14))),
        case("document length 0", put(29, bytes(5))),
        case("an unknown critical TLV", tlvs(b"\x80\x01\x00")),
        case("the same TLV twice", tlvs(b"\x01\x01\x00", b"\x01\x01\x00")),
        case("TLVs that descend", tlvs(b"\x02\x01\x00", b"\x01\x01\x00")),
        case("a TLV cut off", tlvs(b"\x01\x05\x00")),
        case("a TLV without length", tlvs(b"\x01")),
        case("a byte after the signature", lambda h: None, after=b"\x00"),
    ]
    header = seal_header(base, p256)
    r, s = (int.from_bytes(x, "big") for x in (seal_sign(header, p256)[1][:32], seal_sign(header, p256)[1][32:]))
    high = r.to_bytes(32, "big") + (P256_ORDER - s).to_bytes(32, "big")
    out.append({"what": "P-256, the high s", "bytes": (header + high).hex(), "expect": "refused"})
    whole = header + seal_sign(header, p256)[1]
    out += [{"what": "one byte short", "bytes": whole[:-1].hex(), "expect": "refused"},
            {"what": "the header alone", "bytes": whole[:66].hex(), "expect": "refused"},
            {"what": "nothing", "bytes": "", "expect": "refused"}]
    return out


def refused_texts(encoded):
    digits = seal_text("", encoded)
    no = lambda text, what: {"what": what, "text": text, "expect": "refused"}
    return [
        no("", "nothing"), no("0" + digits, "a leading zero"), no("+" + digits, "a sign"), no(digits + "x", "a letter after"),
        no(digits[:60] + " " + digits[60:], "a space within"), no(digits[:-1], "a digit lost"), no(digits + "0", "a digit more"),
        no("HTTPS://METERAI.EXAMPLE/S" + digits, "a prefix without a slash at its end"),
        no("https://meterai.example/s/" + digits, "a prefix in lower case"),
        no("HTTPS://METERAI.EXAMPLE/STAMP/" + digits, "a prefix of 30 characters"),
        no("HTTPS://METERAI.EXAMPLE/S?" + digits, "a question mark"),
        no(str(int.from_bytes(b"\x02" + encoded, "big")), "another guard byte"),
        no(str(int.from_bytes(encoded, "big")), "no guard byte"),
        no("HTTPS://METERAI.EXAMPLE/S/", "a prefix alone"),
    ]


def refused_signatures(base, ed, p256):
    """Canonical encodings whose signature does not verify with the key named."""
    out = []
    for name, key in (("ed25519", ed), ("p256", p256)):
        header = seal_header(base, key)
        signature = seal_sign(header, key)[1]
        changed = bytearray(header)
        changed[28] ^= 1
        out.append({"what": "another value", "key": name, "bytes": (bytes(changed) + signature).hex(), "expect": "refused"})
        without = header  # signed without the domain and the key's hash
        if name == "ed25519":
            bare = key.sign(without)
        else:
            r, s = cms.ecdsa_pair(key, without, hashes.SHA256())
            bare = r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")
        out.append({"what": "signed without domain and key", "key": name, "bytes": (header + bare).hex(), "expect": "refused"})
    return out


# --- cms --------------------------------------------------------------------------------

def cms_vectors(old):
    if "issuer_key" in old:
        root = serialization.load_der_private_key(bytes.fromhex(old["issuer_key"]), None)
    else:
        root = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    derive = lambda curve, text: ec.derive_private_key(int.from_bytes(seed(text), "big") % (2 ** 255), curve)
    keys = {
        "rsa": root,
        "p256": derive(ec.SECP256R1(), "cms key P-256"),
        "p384": derive(ec.SECP384R1(), "cms key P-384"),
        "ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(seed("cms key Ed25519")),
    }
    return cms.vectors(root, keys, pkcs8, seed("cms document"))


def main():
    ff1.self_check()
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    old = json.loads((HERE / "cms.json").read_text()) if (HERE / "cms.json").exists() else {}
    serial = serial_vectors()
    files = {"serial.json": serial, "seal.json": seal_vectors(serial["numbers"][0]["number"]), "cms.json": cms_vectors(old)}
    for name, data in files.items():
        (out / name).write_text(json.dumps(data, indent=1, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
