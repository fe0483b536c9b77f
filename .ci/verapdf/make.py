"""Writes small PDF/A files, one for each part of ISO 19005, to be stamped.

    make.py FOLDER

None has an output intent, so a stamp with a device colour would break every one of them.
They have no text: how fonts are embedded is not what a stamp could change.
"""

import os
import sys

XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">%s</rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""

CONTENT = b"/Cal cs 0.2 0.3 0.6 sc 72 600 200 80 re f /Cal CS 0.6 0.1 0.1 SC 2 w 72 560 m 400 560 l S\n"
TAGGED = b"/P <</MCID 0>> BDC\n" + CONTENT + b"EMC\n"
CAL = "[/CalRGB <</WhitePoint [0.9505 1 1.089] /Gamma [2.2 2.2 2.2] /Matrix [0.4124 0.2126 0.0193 0.3576 0.7152 0.1192 0.1805 0.0722 0.9505]>>]"
ATTACHED = b"catatan,jumlah\nuji,1\n"


def stream(entries, data):
    return b"<<%s /Length %d>>\nstream\n%s\nendstream" % (entries.encode(), len(data), data)


def xmp(part, conformance):
    said = "<pdfaid:part>%d</pdfaid:part>" % part
    if part == 4:
        said += "<pdfaid:rev>2020</pdfaid:rev>"
    if conformance:
        said += "<pdfaid:conformance>%s</pdfaid:conformance>" % conformance
    return (XMP % said).encode()


def objects(part, conformance):
    catalog, page = "/Type /Catalog /Pages 2 0 R /Metadata 5 0 R", ""
    more = []
    if conformance == "A":
        catalog += " /MarkInfo <</Marked true>> /StructTreeRoot 6 0 R /Lang (id-ID)"
        page = " /StructParents 0"
        more = [b"<</Type /StructTreeRoot /K 7 0 R /ParentTree <</Nums [0 [7 0 R]]>> /ParentTreeNextKey 1>>",
                b"<</Type /StructElem /S /P /P 6 0 R /Pg 3 0 R /K 0>>"]
    if part == 3:
        catalog += " /AF [6 0 R] /Names <</EmbeddedFiles <</Names [(catatan.csv) 6 0 R]>>>>"
        more = [b"<</Type /Filespec /F (catatan.csv) /UF (catatan.csv) /AFRelationship /Data /Desc (Catatan) /EF <</F 7 0 R /UF 7 0 R>>>>",
                stream("/Type /EmbeddedFile /Subtype /text#2Fcsv /Params <</ModDate (D:20260101000000Z) /Size %d>>" % len(ATTACHED), ATTACHED)]
    return [
        ("<<%s>>" % catalog).encode(),
        b"<</Type /Pages /Kids [3 0 R] /Count 1>>",
        ("<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources <</ColorSpace <</Cal %s>>>>%s>>" % (CAL, page)).encode(),
        stream("", TAGGED if conformance == "A" else CONTENT),
        stream("/Type /Metadata /Subtype /XML", xmp(part, conformance)),
    ] + more


def write(path, part, conformance):
    version = {1: "1.4", 4: "2.0"}.get(part, "1.7")
    out = b"%%PDF-%s\n%%\xe2\xe3\xcf\xd3\n" % version.encode()
    offsets = []
    for number, body in enumerate(objects(part, conformance), 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
    out += b"".join(b"%010d 00000 n \n" % o for o in offsets)
    ident = b"<%032x>" % (part * 16 + ord(conformance or "0"))
    out += b"trailer\n<</Size %d /Root 1 0 R /ID [%s %s]>>\nstartxref\n%d\n%%%%EOF\n" % (len(offsets) + 1, ident, ident, start)
    with open(path, "wb") as f:
        f.write(out)


def main():
    for part, conformance in ((1, "B"), (1, "A"), (2, "B"), (2, "A"), (2, "U"), (3, "B"), (4, "")):
        write(os.path.join(sys.argv[1], "pdfa-%d%s.pdf" % (part, conformance.lower())), part, conformance)


if __name__ == "__main__":
    main()
