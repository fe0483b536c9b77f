"""Writes small PDF/UA-1 files (ISO 14289-1), to be stamped.

    make_ua.py FOLDER

Each has another structure tree: below a document element or directly below the root, with a
parent tree of one leaf or of several, and a page that says another order of annotations while
it has none. They have no text: how fonts are embedded is not what a stamp could change.
"""

import os
import sys

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<pdfuaid:part>1</pdfuaid:part>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Dokumen uji</rdf:li></rdf:Alt></dc:title></rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""

CONTENT = b"/Figure <</MCID 0>> BDC\n0.2 0.3 0.6 rg 72 600 200 80 re f\nEMC\n"
KINDS = ("document", "root", "kids", "tabs")


def stream(entries, data):
    return b"<<%s /Length %d>>\nstream\n%s\nendstream" % (entries.encode(), len(data), data)


def objects(kind):
    under, kids, parents, following, tabs, more = "7 0 R", "7 0 R", "<</Nums [0 [8 0 R]]>>", "/ParentTreeNextKey 1", "", []
    if kind == "root":
        under, kids = "6 0 R", "[8 0 R]"
    if kind == "kids":
        parents, following = "9 0 R", ""
        more = [b"<</Kids [10 0 R]>>", b"<</Limits [0 0] /Nums [0 [8 0 R]]>>"]
    if kind == "tabs":
        tabs = " /Tabs /R"
    catalog = "/Type /Catalog /Pages 2 0 R /Metadata 5 0 R /MarkInfo <</Marked true>> /StructTreeRoot 6 0 R /Lang (id-ID)"
    return [
        ("<<%s /ViewerPreferences <</DisplayDocTitle true>>>>" % catalog).encode(),
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        ("<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources <<>> /StructParents 0%s>>" % tabs).encode(),
        stream("", CONTENT),
        stream("/Type /Metadata /Subtype /XML", XMP.encode()),
        ("<</Type /StructTreeRoot /K %s /ParentTree %s %s>>" % (kids, parents, following)).encode(),
        b"<</Type /StructElem /S /Document /P 6 0 R /K 8 0 R>>",
        ("<</Type /StructElem /S /Figure /P %s /Pg 3 0 R /K 0 /Alt (Kotak biru) /A <</O /Layout /BBox [72 600 272 680]>>>>" % under).encode(),
    ] + more


def write(path, kind):
    out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, body in enumerate(objects(kind), 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
    out += b"".join(b"%010d 00000 n \n" % o for o in offsets)
    ident = b"<%032x>" % (1 + KINDS.index(kind))
    out += b"trailer\n<</Size %d /Root 1 0 R /ID [%s %s]>>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, ident, ident, start)
    with open(path, "wb") as f:
        f.write(out)


def main():
    for kind in KINDS:
        write(os.path.join(sys.argv[1], "ua1-%s.pdf" % kind), kind)


if __name__ == "__main__":
    main()
