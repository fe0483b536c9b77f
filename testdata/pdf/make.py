"""Makes the files of testdata/pdf that come from Python libraries.

    python make.py plain DIR          reportlab, pypdf, fpdf2
    python make.py signed DIR PKIDIR  pyHanko, with the e-seals of a specimen PKI

Both read what DIR already has (see make.sh, which runs them).
"""

import datetime
import hashlib
import sys
from pathlib import Path

# Fixed, so that the output is the same from run to run.
CREATED = datetime.datetime(2026, 11, 21, 8, 0, 0, tzinfo=datetime.timezone.utc)


def file_id(name):
    return hashlib.sha256(("meterai testdata " + name).encode()).digest()[:16]


def reportlab_form(out):
    from reportlab import rl_config
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen import canvas

    rl_config.invariant = 1
    c = canvas.Canvas(str(out), pagesize=A4, invariant=1)
    c.setTitle("reportlab-form.pdf")
    c.setFont("Helvetica", 16)
    c.drawString(48, 780, "Formulir contoh")
    c.setFont("Helvetica", 10)
    for i, (name, label, value) in enumerate([("nama", "Nama", "Budi Contoh"), ("alamat", "Alamat", "Jalan Kenanga 5"), ("kota", "Kota", "")]):
        y = 720 - 40 * i
        c.drawString(48, y + 6, label)
        c.acroForm.textfield(name=name, tooltip=label, x=140, y=y, width=260, height=20, value=value, borderStyle="inset", forceBorder=True)
    c.drawString(48, 606, "Setuju")
    c.acroForm.checkbox(name="setuju", tooltip="Setuju", x=140, y=600, size=16, checked=True)
    c.save()


def pypdf_merge(d):
    from pypdf import PdfWriter
    from pypdf.generic import ArrayObject, ByteStringObject

    w = PdfWriter()
    for name in ("classic.pdf", "rotate-90.pdf", "cropbox.pdf"):
        w.append(str(d / name))
    w.add_metadata({"/Title": "pypdf.pdf", "/Producer": "pypdf"})
    fid = ByteStringObject(file_id("pypdf.pdf"))
    w._ID = ArrayObject([fid, fid])
    w.write(str(d / "pypdf.pdf"))


def fpdf2_file(out):
    from fpdf import FPDF

    pdf = FPDF(format="A4")
    pdf.set_creation_date(CREATED)
    pdf.file_id = lambda: "<%s><%s>" % ((file_id("fpdf2.pdf").hex().upper(),) * 2)
    pdf.set_title("fpdf2.pdf")
    for n in (1, 2):
        pdf.add_page()
        pdf.start_section("Bagian %d" % n)
        pdf.set_font("Helvetica", size=14)
        pdf.cell(text="fpdf2.pdf, halaman %d" % n)
        pdf.ln(12)
        pdf.set_font("Helvetica", size=10)
        pdf.cell(text="Tautan contoh", link="https://example.com/")
    pdf.output(str(out))


def updated(d):
    from pyhanko.pdf_utils.generic import NameObject, TextStringObject
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    with open(d / "object-streams.pdf", "rb") as f, open(d / "object-streams-updated.pdf", "wb") as out:
        w = IncrementalPdfFileWriter(f)
        first, second = w._document_id
        w._document_id = type(w._document_id)([first, type(second)(file_id("object-streams-updated.pdf"))])
        w.root[NameObject("/Lang")] = TextStringObject("id-ID")
        w.update_root()
        w.write(out)


def plain(d):
    reportlab_form(d / "reportlab-form.pdf")
    pypdf_merge(d)
    fpdf2_file(d / "fpdf2.pdf")
    updated(d)


def sign(d, pki, src, out, *, key="p256", field, certify=None, box=None):
    from pyhanko.keys import load_certs_from_pemder, load_private_key_from_pemder
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    cert, *chain = load_certs_from_pemder([pki / f"stamp-{key}.pem"])
    signer = signers.SimpleSigner(
        signing_cert=cert, signing_key=load_private_key_from_pemder(pki / f"stamp-{key}.key", None),
        cert_registry=SimpleCertificateStore.from_certs(chain))
    meta = dict(field_name=field, md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES, reason="Contoh", name="Penanda tangan contoh")
    if certify:
        meta.update(certify=True, docmdp_permissions=certify)
    spec = fields.SigFieldSpec(field, on_page=-1, box=box) if box else fields.SigFieldSpec(field)
    with open(d / src, "rb") as f, open(d / (out + ".new"), "wb") as o:
        w = IncrementalPdfFileWriter(f)
        signers.PdfSigner(signers.PdfSignatureMetadata(**meta), signer=signer, new_field_spec=spec).sign_pdf(w, output=o)
    (d / (out + ".new")).replace(d / out)


def signed(d, pki):
    from pyhanko.sign.fields import MDPPerm

    sign(d, pki, "surat-pernyataan.pdf", "signed-pyhanko.pdf", field="Tandatangan1", box=(71, 60, 251, 110))
    sign(d, pki, "object-streams.pdf", "signed-twice.pdf", field="Pihak1", key="rsa", box=(60, 60, 200, 110))
    sign(d, pki, "signed-twice.pdf", "signed-twice.pdf", field="Pihak2", box=(60, 130, 200, 180))
    sign(d, pki, "classic.pdf", "certified-p1.pdf", field="Pengesahan", certify=MDPPerm.NO_CHANGES)
    sign(d, pki, "classic.pdf", "certified-p2.pdf", field="Pengesahan", certify=MDPPerm.FILL_FORMS)
    sign(d, pki, "classic.pdf", "certified-p3.pdf", field="Pengesahan", certify=MDPPerm.ANNOTATE)
    sign(d, pki, "form.pdf", "certified-p2-field.pdf", field="Pengesahan", certify=MDPPerm.FILL_FORMS)


if __name__ == "__main__":
    if sys.argv[1] == "plain":
        plain(Path(sys.argv[2]))
    else:
        signed(Path(sys.argv[2]), Path(sys.argv[3]))
