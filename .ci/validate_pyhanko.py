"""Validates stamped files with pyHanko: the stamp as a PAdES signature, earlier ones as they were.

    validate_pyhanko.py --root ROOT.pem [--crl CRL.der]... < LIST

LIST has a line a file: path, tab, number of signatures the file had before the stamp. One
line a file comes out: path, tab, "ok" or what is wrong. The exit status is 1 when anything
is wrong. The newest signature must be the stamp: intact, valid, trusted by ROOT with the
revocation data given, over the whole file, and PAdES in form. The earlier signatures must
be intact and valid, with no change since that they forbid.
"""

import argparse
import asyncio
import logging
import sys

from asn1crypto import crl as asn1_crl
from pyhanko.keys import load_certs_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    DEFAULT_DIFF_POLICY, FormUpdatingRule, GenericFieldModificationRule, ModificationLevel, SigFieldCreationRule,
    SigFieldModificationRule, StandardDiffPolicy)
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

PADES_ATTRIBUTES = {"content_type", "message_digest", "signing_certificate_v2"}


def diff_policy():
    """pyHanko's default, but P=3 allows a new visible signature field, as ISO 32000-2 has it."""
    return StandardDiffPolicy(
        global_rules=DEFAULT_DIFF_POLICY.global_rules,
        form_rule=FormUpdatingRule(field_rules=[
            SigFieldCreationRule(allow_new_visible_after_certify=True), SigFieldModificationRule(), GenericFieldModificationRule()]))


def form_faults(sig):
    """What PAdES asks of the form (EN 319 142-1, 6.3) and pyHanko does not check by itself."""
    obj = sig.sig_object
    if obj.get("/SubFilter") != "/ETSI.CAdES.detached":
        yield "SubFilter is %s" % obj.get("/SubFilter")
    if obj.get("/Type", "/Sig") != "/Sig" or obj.get("/Filter") != "/Adobe.PPKLite":
        yield "Type or Filter is wrong"
    if "/Cert" in obj:
        yield "Cert is there"
    if "/M" not in obj:
        yield "M is missing"
    names = [a["type"].native for a in sig.signer_info["signed_attrs"]]
    if len(set(names)) != len(names) or set(names) != PADES_ATTRIBUTES:
        yield "signed attributes are %s" % ", ".join(sorted(names))
    if len(sig.signed_data["signer_infos"]) != 1:
        yield "not one signer"
    if sig.signed_data["encap_content_info"]["content"].native is not None:
        yield "content inside"


async def stamp_faults(sig, roots, crls):
    # Requiring revocation data is pyHanko's strictest mode: a CRL missing is a fault.
    context = ValidationContext(trust_roots=roots, crls=crls, revocation_mode="require", allow_fetching=False)
    status = await async_validate_pdf_signature(
        sig, signer_validation_context=context,
        key_usage_settings=KeyUsageConstraints(key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=True))
    for what in ("intact", "valid", "trusted", "bottom_line"):
        if not getattr(status, what):
            yield "stamp is not " + what + (": %s" % status.error_time_horizon if what == "trusted" and status.error_time_horizon else "")
    if status.coverage != SignatureCoverageLevel.ENTIRE_FILE:
        yield "stamp covers %s" % status.coverage.name
    for fault in form_faults(sig):
        yield fault


async def earlier_faults(sig):
    status = await async_validate_pdf_signature(sig, signer_validation_context=ValidationContext(trust_roots=[]), diff_policy=diff_policy())
    for what in ("intact", "valid", "docmdp_ok"):
        if not getattr(status, what):
            yield "earlier %s is not %s" % (sig.field_name, what)
    if status.coverage < SignatureCoverageLevel.ENTIRE_REVISION:
        yield "earlier %s covers %s" % (sig.field_name, status.coverage.name)
    level = status.modification_level
    if level is None or level > ModificationLevel.FORM_FILLING:
        yield "earlier %s: modification %s" % (sig.field_name, level and level.name)


async def faults(path, before, roots, crls):
    with open(path, "rb") as f:
        # Not strict: some inputs have oddities of their own, which an update keeps.
        reader = PdfFileReader(f, strict=False)
        if reader.encrypted:
            reader.decrypt("")
        sigs = [s for s in reader.embedded_signatures if s.sig_object_type == "/Sig"]
        if len(sigs) != before + 1:
            return ["%d signatures, not %d" % (len(sigs), before + 1)]
        sigs.sort(key=lambda s: s.signed_revision)
        out = [x async for x in stamp_faults(sigs[-1], roots, crls)]
        for sig in sigs[:-1]:
            out += [x async for x in earlier_faults(sig)]
        return out


async def main():
    args = argparse.ArgumentParser()
    args.add_argument("--root", required=True)
    args.add_argument("--crl", action="append", default=[])
    args = args.parse_args()
    roots = list(load_certs_from_pemder([args.root]))
    crls = [asn1_crl.CertificateList.load(open(name, "rb").read()) for name in args.crl]
    logging.disable(logging.CRITICAL)  # what matters is in the status
    bad = 0
    for line in sys.stdin:
        path, before = line.rstrip("\n").split("\t")
        try:
            found = await faults(path, int(before), roots, crls)
        except Exception as e:  # one broken file must not hide the others
            found = ["%s: %s" % (type(e).__name__, e)]
        bad += bool(found)
        print("%s\t%s" % (path, "; ".join(found) or "ok"), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
