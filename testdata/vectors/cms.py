"""A DER writer and the CMS SignedData of a PDF signature (RFC 5652, RFC 5035), for vectors."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.x509.oid import NameOID


# --- DER --------------------------------------------------------------------------------

def tlv(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = (len(body).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(body).to_bytes(size, "big") + body


def seq(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *sorted(parts))


def octets(b):
    return tlv(0x04, b)


def integer(n):
    return tlv(0x02, n.to_bytes(n.bit_length() // 8 + 1, "big"))


def oid(text):
    arcs = [int(a) for a in text.split(".")]
    out = b""
    for arc in [arcs[0] * 40 + arcs[1]] + arcs[2:]:
        part = [arc & 127]
        while arc := arc >> 7:
            part.insert(0, arc & 127 | 128)
        out += bytes(part)
    return tlv(0x06, out)


NULL = b"\x05\x00"
DATA, SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.5"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
HASHES = {"sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}
CLASSES = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}

# name of the algorithm -> key, hash, AlgorithmIdentifier of the signature
ALGORITHMS = {
    "RSAPKCS1SHA256": ("rsa", "sha256", seq(oid("1.2.840.113549.1.1.11"), NULL)),
    "RSAPKCS1SHA512": ("rsa", "sha512", seq(oid("1.2.840.113549.1.1.13"), NULL)),
    "RSAPSSSHA256": ("rsa", "sha256", seq(oid("1.2.840.113549.1.1.10"), seq(
        tlv(0xA0, seq(oid(HASHES["sha256"]))),
        tlv(0xA1, seq(oid("1.2.840.113549.1.1.8"), seq(oid(HASHES["sha256"])))),
        tlv(0xA2, integer(32))))),
    "ECDSASHA256": ("p256", "sha256", seq(oid("1.2.840.10045.4.3.2"))),
    "ECDSASHA384": ("p384", "sha384", seq(oid("1.2.840.10045.4.3.3"))),
    "Ed25519": ("ed25519", "sha512", seq(oid("1.3.101.112"))),
}


# --- keys and certificates --------------------------------------------------------------

def ecdsa_pair(key, message, digest):
    """r and s, deterministic (RFC 6979)."""
    return utils.decode_dss_signature(key.sign(message, ec.ECDSA(digest, deterministic_signing=True)))


def raw_sign(name, key, message):
    digest = CLASSES[ALGORITHMS[name][1]]()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    if isinstance(key, rsa.RSAPrivateKey):
        if "PSS" in name:
            # The only signature here that is not deterministic, were the salt not kept.
            return key.sign(message, padding.PSS(padding.MGF1(digest), 32), digest)
        return key.sign(message, padding.PKCS1v15(), digest)
    return key.sign(message, ec.ECDSA(digest, deterministic_signing=True))


def certificate(cn, serial, key, issuer_cn, issuer_key, ca=False):
    name = lambda text: x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "ID"),
                                   x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SPECIMEN Vectors"),
                                   x509.NameAttribute(NameOID.COMMON_NAME, text)])
    usage = dict.fromkeys(("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False)
    usage.update(digital_signature=not ca, content_commitment=not ca, key_cert_sign=ca, crl_sign=ca)
    return (x509.CertificateBuilder().subject_name(name(cn)).issuer_name(name(issuer_cn)).serial_number(serial)
            .public_key(key.public_key())
            .not_valid_before(datetime.datetime(2026, 1, 1)).not_valid_after(datetime.datetime(2046, 1, 1))
            .add_extension(x509.BasicConstraints(ca, None), True).add_extension(x509.KeyUsage(**usage), True)
            .sign(issuer_key, hashes.SHA256()))


def der(obj):
    return obj.public_bytes(serialization.Encoding.DER)


# --- SignedData -------------------------------------------------------------------------

def attribute(kind, *values):
    return seq(oid(kind), set_of(*values))


def signing_certificate(cert, hash_name):
    """SigningCertificateV2 with the hash of the document, issuer and serial number."""
    parts = b"" if hash_name == "sha256" else seq(oid(HASHES[hash_name]))
    parts += octets(hashlib.new(hash_name, der(cert)).digest())
    parts += seq(seq(tlv(0xA4, cert.issuer.public_bytes())), integer(cert.serial_number))
    return seq(seq(seq(parts)))


def attributes(cert, hash_name, digest, content_type=DATA):
    return [attribute(CONTENT_TYPE, oid(content_type)), attribute(MESSAGE_DIGEST, octets(digest)),
            attribute(SIGNING_CERTIFICATE_V2, signing_certificate(cert, hash_name))]


def content_info(name, cert, chain, attrs, signature):
    """attrs is what stands between the tag and length of the attributes on the wire."""
    _, hash_name, sig_alg = ALGORITHMS[name]
    digest_alg = seq(oid(HASHES[hash_name]))
    signer = seq(integer(1), seq(cert.issuer.public_bytes(), integer(cert.serial_number)), digest_alg,
                 tlv(0xA0, attrs), sig_alg, octets(signature))
    data = seq(integer(1), tlv(0x31, digest_alg), seq(oid(DATA)),
               tlv(0xA0, *sorted([der(cert)] + [der(c) for c in chain])), tlv(0x31, signer))
    return seq(oid(SIGNED_DATA), tlv(0xA0, data))


def to_indefinite(b):
    """The same with indefinite lengths for constructed elements down to the SignerInfos."""
    def split(data):
        at = 0
        while at < len(data):
            start, tag, size = at, data[at], data[at + 1]
            at += 2
            if size & 0x80:
                n = size & 0x7F
                size = int.from_bytes(data[at:at + n], "big")
                at += n
            yield tag, data[at:at + size], data[start:at + size]
            at += size

    def walk(data, depth):
        out = b""
        for tag, body, whole in split(data):
            out += bytes([tag, 0x80]) + walk(body, depth - 1) + b"\0\0" if tag & 0x20 and depth > 0 else whole
        return out

    return walk(b, 4)


# --- vectors ----------------------------------------------------------------------------

def vectors(root_key, keys, pkcs8, document):
    root = certificate("SPECIMEN Vectors CA", 1, root_key, "SPECIMEN Vectors CA", root_key, ca=True)
    certs = {n: certificate("SPECIMEN " + n, 0x7F00 + i if i else 0x80, k, "SPECIMEN Vectors CA", root_key)
             for i, (n, k) in enumerate(keys.items())}
    good = [good_case(n, certs, root, keys, document) for n in ALGORITHMS]
    return {
        "about": "CMS signatures of PDF files; see README.md",
        "issuer_key": pkcs8(root_key),
        "issuer": der(root).hex(),
        "signers": {n: {"private": pkcs8(k), "certificate": der(certs[n]).hex()} for n, k in keys.items()},
        "document": document.hex(),
        "accepted": good,
        "variants": variants(certs, root, keys, document),
    }


def good_case(name, certs, root, keys, document):
    who, hash_name, _ = ALGORITHMS[name]
    digest = hashlib.new(hash_name, document).digest()
    attrs = set_of(*attributes(certs[who], hash_name, digest))
    out = {"algorithm": name, "signer": who, "hash": hash_name, "digest": digest.hex(), "signed_attributes": attrs.hex()}
    if "PSS" in name:
        out["expect"] = "accepted"  # random salt: the attributes are held, not one signature
        return out
    signature = raw_sign(name, keys[who], attrs)
    out.update(signature=signature.hex(), content_info=content_info(name, certs[who], [root], b"".join(sorted(
        attributes(certs[who], hash_name, digest))), signature).hex(), expect="accepted")
    return out


def variants(certs, root, keys, document):
    name, who, hash_name = "ECDSASHA256", "p256", "sha256"
    cert, key = certs[who], keys[who]
    digest = hashlib.sha256(document).digest()
    good = attributes(cert, hash_name, digest)

    def case(what, attrs, expect, signed=None, sort=True, change=None):
        wire = b"".join(sorted(attrs) if sort else attrs)
        signature = raw_sign(name, key, signed if signed is not None else tlv(0x31, wire))
        ci = content_info(name, cert, [root], wire, signature)
        if change:
            ci = change(ci)
        return {"what": what, "signer": who, "digest": digest.hex(), "content_info": ci.hex(), "expect": expect}

    def flip(ci):
        return ci[:-1] + bytes([ci[-1] ^ 1])

    not_sorted = [good[2], good[0], good[1]]
    wire_time = attribute(SIGNING_TIME, tlv(0x17, b"261121080000Z"))
    return [
        case("as it is", good, "accepted"),
        case("indefinite lengths", good, "accepted", change=to_indefinite),
        case("attributes not in DER order, signed as they stand", not_sorted, "accepted", sort=False),
        case("attributes not in DER order, signed in DER order", not_sorted, "accepted", signed=set_of(*good), sort=False),
        case("with signing-time", good + [wire_time], "accepted"),
        case("another document", attributes(cert, hash_name, hashlib.sha256(b"x").digest()), "digest-mismatch"),
        case("message-digest missing", [good[0], good[2]], "message-digest"),
        case("message-digest twice", good + [attribute(MESSAGE_DIGEST, octets(digest + b"\0"))], "message-digest"),
        case("message-digest with two values", [good[0], attribute(MESSAGE_DIGEST, octets(digest), octets(bytes(32))), good[2]], "message-digest"),
        case("content-type missing", good[1:], "content-type"),
        case("content-type signed-data", attributes(cert, hash_name, digest, SIGNED_DATA), "content-type"),
        case("signing-certificate-v2 of another certificate", [good[0], good[1], attribute(
            SIGNING_CERTIFICATE_V2, signing_certificate(certs["p384"], hash_name))], "signing-certificate"),
        case("signed with tag [0] instead of SET OF", good, "signature-mismatch", signed=tlv(0xA0, *sorted(good))),
        case("a changed signature", good, "signature-mismatch", change=flip),
    ]
