"""Signs PDF files with pyHanko: the other signer before or after a stamp.

    sign_pyhanko.py --key KEY.pem --chain CHAIN.pem < LIST

LIST has a line a file: input, tab, output. The key is PKCS #8; the first certificate is the
signer's, those after it lead to the root. The signatures are invisible approval signatures at PAdES B-B.
"""

import argparse
import sys

from pyhanko.keys import load_certs_from_pemder, load_private_key_from_pemder
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import signers
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko_certvalidator.registry import SimpleCertificateStore


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--key", required=True)
    parser.add_argument("--chain", required=True)
    args = parser.parse_args()
    chain = list(load_certs_from_pemder([args.chain]))
    store = SimpleCertificateStore()
    store.register_multiple(chain)
    signer = signers.SimpleSigner(
        signing_cert=chain[0], signing_key=load_private_key_from_pemder(args.key, passphrase=None), cert_registry=store)
    for line in sys.stdin:
        source, target = line.rstrip("\n").split("\t")
        meta = signers.PdfSignatureMetadata(field_name="Other", md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES)
        with open(source, "rb") as inf, open(target, "w+b") as outf:
            # Not strict: it refuses hybrid files otherwise.
            signers.sign_pdf(IncrementalPdfFileWriter(inf, strict=False), meta, signer=signer, output=outf)


if __name__ == "__main__":
    main()
