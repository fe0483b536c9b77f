"""Validates stamped files with pyHanko: the stamp as a PAdES signature, earlier ones as they were.

    validate_pyhanko.py --root ROOT.pem [--crl CRL.der]... < LIST

LIST has a line a file: path, tab, number of signatures the file had before the stamp, and
after another tab the level (without one: b-b). One line a file comes out: path, tab, "ok" or
what is wrong. The exit status is 1 when anything is wrong. The newest signature must be the
stamp: intact, valid, trusted by ROOT, and PAdES in form. The earlier signatures must be
intact and valid, with no change since that they forbid.

At b-b and b-t the stamp is over the whole file and the CRLs given are used. At b-lt and b-lta
it is over its revision, with nothing after it but what keeps it verifiable, and ROOT and the
file itself must do: the CRLs given are not looked at. From b-t on there is a signature
timestamp that ROOT trusts; at b-lta also a document timestamp, and the file passes PAdES
validation with long-term data (EN 319 102-1, 5.6.3). "extended" is b-lta that was stamped
at b-b: it has document timestamps alone, which that algorithm of pyHanko does not take.
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
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation import DocumentSecurityStore, async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec, RevinfoOnlineFetchingRule, RevocationInfoGatheringSpec, SignatureValidationSpec)
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager

PADES_ATTRIBUTES = {"content_type", "message_digest", "signing_certificate_v2"}
SEAL_USAGE = KeyUsageConstraints(key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=True)
LEVELS = ("b-b", "b-t", "b-lt", "b-lta", "extended")


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


def unsigned_attributes(sig):
    attrs = sig.signer_info["unsigned_attrs"]
    return [] if attrs.native is None else [a["type"].native for a in attrs]


def trust_context(sig, roots, crls, level):
    # Requiring revocation data is pyHanko's strictest mode: a CRL missing is a fault.
    args = dict(trust_roots=roots, revocation_mode="require", allow_fetching=False)
    if level in ("b-b", "b-t"):
        return ValidationContext(crls=crls, **args)
    return DocumentSecurityStore.read_dss(sig.reader).as_validation_context(args)


async def stamp_faults(sig, roots, crls, level):
    status = await async_validate_pdf_signature(
        sig, signer_validation_context=trust_context(sig, roots, crls, level),
        ts_validation_context=trust_context(sig, roots, crls, level), key_usage_settings=SEAL_USAGE)
    for what in ("intact", "valid", "trusted", "bottom_line"):
        if not getattr(status, what):
            yield "stamp is not " + what + (": %s" % status.error_time_horizon if what == "trusted" and status.error_time_horizon else "")
    whole = level in ("b-b", "b-t")
    if status.coverage != (SignatureCoverageLevel.ENTIRE_FILE if whole else SignatureCoverageLevel.ENTIRE_REVISION):
        yield "stamp covers %s" % status.coverage.name
    if status.modification_level != (ModificationLevel.NONE if whole else ModificationLevel.LTA_UPDATES):
        yield "stamp: modification %s" % (status.modification_level and status.modification_level.name)
    stamped = [] if level in ("b-b", "extended") else ["signature_time_stamp_token"]
    if unsigned_attributes(sig) != stamped:
        yield "unsigned attributes are %s" % ", ".join(unsigned_attributes(sig))
    if stamped and not (status.timestamp_validity and status.timestamp_validity.valid and status.timestamp_validity.trusted):
        yield "signature timestamp is not valid and trusted"
    for fault in form_faults(sig):
        yield fault


async def timestamp_faults(sig, roots, crls, level):
    """The document timestamps, of which none is before the stamp in the files here."""
    stamps = [s for s in sig.reader.embedded_signatures if s.sig_object_type == "/DocTimeStamp"]
    if bool(stamps) != (level in ("b-lta", "extended")):
        yield "%d document timestamps" % len(stamps)
    for s in stamps:
        if s.signed_revision <= sig.signed_revision:
            yield "document timestamp before the stamp"
        status = await async_validate_pdf_timestamp(s, validation_context=trust_context(s, roots, crls, level))
        for what in ("intact", "valid", "trusted"):
            if not getattr(status, what):
                yield "document timestamp is not " + what
        if status.coverage < SignatureCoverageLevel.ENTIRE_REVISION:
            yield "document timestamp covers %s" % status.coverage.name
        if status.modification_level > ModificationLevel.LTA_UPDATES:
            yield "document timestamp: modification %s" % status.modification_level.name
        if s.sig_object.get("/SubFilter") != "/ETSI.RFC3161":
            yield "document timestamp: SubFilter is %s" % s.sig_object.get("/SubFilter")


async def long_term_faults(sig, roots):
    """EN 319 102-1, 5.6.3, with ROOT and what is in the file, and nothing fetched."""
    spec = PdfSignatureValidationSpec(SignatureValidationSpec(
        CertValidationPolicySpec(SimpleTrustManager.build(trust_roots=roots), CertRevTrustPolicy(REQUIRE_REVINFO)),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(RevinfoOnlineFetchingRule.LOCAL_ONLY), key_usage_settings=SEAL_USAGE))
    result = await ades_lta_validation(sig, spec)
    if result.ades_subindic != AdESPassed.OK:
        yield "long term: %s, %s" % (result.ades_subindic.name, result.failure_msg)
    if result.oldest_evidence_record_timestamp is None:
        yield "long term: no proof of existence from a document timestamp"


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


async def faults(path, before, level, roots, crls):
    with open(path, "rb") as f:
        # Not strict: some inputs have oddities of their own, which an update keeps.
        reader = PdfFileReader(f, strict=False)
        if reader.encrypted:
            reader.decrypt("")
        sigs = [s for s in reader.embedded_signatures if s.sig_object_type == "/Sig"]
        if len(sigs) != before + 1:
            return ["%d signatures, not %d" % (len(sigs), before + 1)]
        sigs.sort(key=lambda s: s.signed_revision)
        out = [x async for x in stamp_faults(sigs[-1], roots, crls, level)]
        out += [x async for x in timestamp_faults(sigs[-1], roots, crls, level)]
        if level == "b-lta":
            out += [x async for x in long_term_faults(sigs[-1], roots)]
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
        path, before, level = (line.rstrip("\n").split("\t") + ["b-b"])[:3]
        try:
            if level not in LEVELS:
                raise ValueError("no level " + level)
            found = await faults(path, int(before), level, roots, crls)
        except Exception as e:  # one broken file must not hide the others
            found = ["%s: %s" % (type(e).__name__, e)]
        bad += bool(found)
        print("%s\t%s" % (path, "; ".join(found) or "ok"), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
