"""Makes surat-pernyataan.pdf, the quickstart's document, with ReportLab.

    python surat.py OUT.pdf

People, places and numbers are invented. The lower right of the last page stays free for
a stamp that keeps 36 pt from the edges.
"""

import sys

from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    KeepTogether,
    ListFlowable,
    ListItem,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)
from reportlab import rl_config

FONTS = "/usr/share/fonts/truetype/liberation/LiberationSerif-%s.ttf"  # Debian: fonts-liberation
for name, face in (("Serif", "Regular"), ("SerifBold", "Bold"), ("SerifItalic", "Italic")):
    pdfmetrics.registerFont(TTFont(name, FONTS % face))
pdfmetrics.registerFontFamily("Serif", normal="Serif", bold="SerifBold", italic="SerifItalic", boldItalic="SerifBold")

TITLE = ParagraphStyle("title", fontName="SerifBold", fontSize=15, leading=20, alignment=TA_CENTER)
NUMBER = ParagraphStyle("number", fontName="Serif", fontSize=10.5, leading=14, alignment=TA_CENTER)
BODY = ParagraphStyle("body", fontName="Serif", fontSize=11, leading=16.5, alignment=TA_JUSTIFY, spaceAfter=7)
CELL = ParagraphStyle("cell", fontName="Serif", fontSize=11, leading=15)
HEAD = ParagraphStyle("head", fontName="SerifBold", fontSize=11.5, leading=16, spaceBefore=10, spaceAfter=5)


def person(rows):
    cells = [[Paragraph(k, CELL), Paragraph(":", CELL), Paragraph(v, CELL)] for k, v in rows]
    table = Table(cells, colWidths=[42 * mm, 5 * mm, None], hAlign="LEFT")
    table.setStyle(TableStyle([
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("TOPPADDING", (0, 0), (-1, -1), 1),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
        ("LEFTPADDING", (0, 0), (0, -1), 12),
    ]))
    return table


def numbered(*texts, start=1):
    items = [ListItem(Paragraph(t, BODY), value=start + i) for i, t in enumerate(texts)]
    return ListFlowable(items, bulletType="1", bulletFormat="%s.", bulletFontName="Serif", bulletFontSize=11, leftIndent=20)


def story():
    yield Paragraph("SURAT PERNYATAAN", TITLE)
    yield Paragraph("Nomor: 017/SP/XI/2026", NUMBER)
    yield Spacer(1, 10)
    yield Paragraph("Yang bertanda tangan di bawah ini:", BODY)
    yield person([
        ("Nama", "Siti Rahmawati Contoh"),
        ("Tempat, tanggal lahir", "Bandung, 14 Februari 1998"),
        ("NIK", "0000 0000 0000 0001"),
        ("Pekerjaan", "Karyawan swasta"),
        ("Alamat", "Jalan Melati Nomor 12, RT 003/RW 007, Kelurahan Sukamaju, Kota Bandung, Jawa Barat"),
    ])
    yield Spacer(1, 7)
    yield Paragraph(
        "dengan ini menyatakan dengan sebenarnya, dalam keadaan sehat jasmani dan rohani serta tanpa paksaan dari "
        "pihak mana pun, dalam rangka pendaftaran seleksi calon pegawai tahun anggaran 2026, hal-hal sebagai berikut.", BODY)
    yield Paragraph("A. Persyaratan umum", HEAD)
    yield numbered(
        "Tidak pernah dipidana dengan pidana penjara berdasarkan putusan pengadilan yang sudah mempunyai kekuatan "
        "hukum tetap karena melakukan tindak pidana dengan pidana penjara dua tahun atau lebih.",
        "Tidak pernah diberhentikan dengan hormat tidak atas permintaan sendiri atau tidak dengan hormat sebagai pegawai, "
        "prajurit, anggota kepolisian, maupun sebagai pegawai swasta.",
        "Tidak berkedudukan sebagai calon pegawai atau pegawai pada instansi lain.",
        "Tidak menjadi anggota atau pengurus partai politik dan tidak terlibat politik praktis.")
    yield Paragraph("B. Kesediaan", HEAD)
    yield numbered(
        "Bersedia ditempatkan di seluruh wilayah Negara Kesatuan Republik Indonesia atau negara lain yang ditentukan "
        "oleh instansi.",
        "Bersedia mengabdi pada instansi yang dilamar dan tidak mengajukan pindah dengan alasan pribadi sekurang-kurangnya "
        "selama sepuluh tahun sejak diangkat.",
        "Bersedia mengikuti seluruh tahapan seleksi dan menerima keputusan panitia yang bersifat mutlak dan tidak dapat "
        "diganggu gugat.", start=5)
    yield PageBreak()
    yield Paragraph("C. Kebenaran data", HEAD)
    yield numbered(
        "Seluruh data, dokumen, dan keterangan yang saya unggah melalui portal pendaftaran adalah benar, lengkap, dan "
        "sesuai dengan aslinya.",
        "Apabila di kemudian hari ditemukan bahwa data atau dokumen tersebut tidak benar, saya bersedia dinyatakan gugur, "
        "diberhentikan, dan dituntut sesuai dengan ketentuan peraturan perundang-undangan.", start=8)
    yield Paragraph("Dokumen yang dilampirkan pada pernyataan ini:", BODY)
    rows = [["No.", "Dokumen", "Nomor", "Tanggal"],
            ["1", "Ijazah", "UN-2020/0417/C", "21 Agustus 2020"],
            ["2", "Transkrip nilai", "TR-2020/0417/C", "21 Agustus 2020"],
            ["3", "Surat keterangan sehat", "SKS/118/XI/2026", "2 November 2026"],
            ["4", "Surat keterangan catatan kepolisian", "SKCK/2231/XI/2026", "5 November 2026"]]
    table = Table(rows, colWidths=[14 * mm, 70 * mm, 41 * mm, 35 * mm], hAlign="CENTER")
    table.setStyle(TableStyle([
        ("FONT", (0, 0), (-1, 0), "SerifBold", 10.5),
        ("FONT", (0, 1), (-1, -1), "Serif", 10.5),
        ("BACKGROUND", (0, 0), (-1, 0), "#e8edf2"),
        ("GRID", (0, 0), (-1, -1), 0.4, "#8a97a6"),
        ("ALIGN", (0, 0), (0, -1), "CENTER"),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
    ]))
    yield table
    yield Spacer(1, 12)
    yield Paragraph(
        "Demikian surat pernyataan ini saya buat dengan sesungguhnya untuk dipergunakan sebagaimana mestinya. Surat ini "
        "dibubuhi meterai elektronik sesuai dengan ketentuan bea meterai atas surat pernyataan.", BODY)
    yield Spacer(1, 14)
    block = Table([
        ["", "Bandung, 21 November 2026"],
        ["", "Yang membuat pernyataan,"],
        ["", Spacer(1, 46)],
        ["", Paragraph("<u>Siti Rahmawati Contoh</u>", ParagraphStyle("who", parent=CELL, fontName="SerifBold"))],
    ], colWidths=[98 * mm, None])
    block.setStyle(TableStyle([("FONT", (0, 0), (-1, -1), "Serif", 11), ("LEFTPADDING", (1, 0), (1, -1), 0)]))
    yield KeepTogether(block)


def furniture(canvas, doc):
    canvas.saveState()
    canvas.setFont("SerifItalic", 8.5)
    canvas.setFillGray(0.35)
    canvas.drawString(25 * mm, 287 * mm, "Dokumen contoh - bukan dokumen resmi")
    canvas.drawRightString(A4[0] - 25 * mm, 287 * mm, "Nomor: 017/SP/XI/2026")
    canvas.setStrokeGray(0.6)
    canvas.setLineWidth(0.5)
    canvas.line(25 * mm, 284.5 * mm, A4[0] - 25 * mm, 284.5 * mm)
    canvas.drawString(25 * mm, 12 * mm, "Halaman %d dari 2" % doc.page)
    canvas.restoreState()


def main(out):
    rl_config.invariant = 1
    doc = BaseDocTemplate(out, pagesize=A4, title="Surat Pernyataan (contoh)", author="Siti Rahmawati Contoh",
                          subject="Dokumen contoh untuk pustaka meterai", lang="id-ID", invariant=1)
    frame = Frame(25 * mm, 25 * mm, A4[0] - 50 * mm, A4[1] - 47 * mm, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
    doc.addPageTemplates(PageTemplate(frames=[frame], onPage=furniture))
    doc.build(list(story()))


if __name__ == "__main__":
    main(sys.argv[1])
