#!/usr/bin/env bash
# Makes every file of testdata/pdf anew in a folder, by default a temporary one, and says
# which differ from those that are checked in. `--install` then replaces them.
#
#   testdata/pdf/make.sh [--install] [DIR]
#
# Made with: Go 1.26, Python 3.11 and requirements.txt; from Debian 12 qpdf 11.3.0,
# poppler-utils 22.12.0 with Cairo 1.16.0, ghostscript 10.00.0, mupdf-tools 1.21.1 and
# fonts-liberation. Signed and encrypted files differ each time (new keys, new times):
# --install takes them only with --signed, together with the roots and CRLs under signers.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
install=false signed=false
while [[ ${1-} == --* ]]; do
  case $1 in
  --install) install=true ;;
  --signed) signed=true ;;
  *) echo "usage: make.sh [--install [--signed]] [DIR]" >&2; exit 64 ;;
  esac
  shift
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
out=${1:-$tmp/out}
mkdir -p "$out/signers"

for tool in go python3 qpdf pdftocairo gs mutool; do
  command -v "$tool" >/dev/null || { echo "make.sh: $tool is missing" >&2; exit 1; }
done
python=${PYTHON:-}
if [[ -z $python ]]; then
  python3 -m venv "$tmp/venv"
  python=$tmp/venv/bin/python
  "$python" -m pip install -q -r "$here/requirements.txt"
fi
export PYTHONDONTWRITEBYTECODE=1 SOURCE_DATE_EPOCH=1795248000 TZ=UTC
gen() { (cd "$root" && go run ./testdata/pdfs/gen "$@"); }

gen handmade "$out"
"$python" "$here/surat.py" "$out/surat-pernyataan.pdf"
cd "$out"
fixed=(--deterministic-id)
qpdf "${fixed[@]}" --object-streams=generate forty-pages.pdf object-streams.pdf
qpdf "${fixed[@]}" --linearize forty-pages.pdf linearized.pdf
qpdf "${fixed[@]}" --linearize --object-streams=generate forty-pages.pdf linearized-streams.pdf
crypt=(--static-id --static-aes-iv)
qpdf "${crypt[@]}" --encrypt "" pemilik 256 -- classic.pdf encrypted-aes256.pdf
qpdf "${crypt[@]}" --encrypt rahasia pemilik 256 -- classic.pdf encrypted-password.pdf
qpdf "${crypt[@]}" --encrypt "" pemilik 256 --modify=form -- classic.pdf encrypted-restricted.pdf
qpdf "${crypt[@]}" --object-streams=generate --encrypt rahasia pemilik 256 --force-R5 -- form.pdf encrypted-r5.pdf
qpdf "${crypt[@]}" --object-streams=generate --encrypt "" pemilik 128 --use-aes=y -- form.pdf encrypted-aes128.pdf
crypt+=(--allow-weak-crypto)
qpdf "${crypt[@]}" --encrypt "" pemilik 40 -- classic.pdf encrypted-rc4-40.pdf
qpdf "${crypt[@]}" --encrypt "" pemilik 128 --use-aes=n -- form.pdf encrypted-rc4-128.pdf
pdftocairo -pdf surat-pernyataan.pdf cairo.pdf
gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -sOutputFile=ghostscript.pdf surat-pernyataan.pdf
qpdf "${crypt[@]}" --encrypt rahasia pemilik 128 --force-V4 --cleartext-metadata -- ghostscript.pdf encrypted-metadata.pdf
mutool clean -gggg -z surat-pernyataan.pdf mupdf.pdf
"$python" "$here/make.py" plain "$out"
# These two write the time of day; another of the same length takes its place.
LC_ALL=C sed -i -E 's/\(D(:|\\072)20[0-9]{12}/(D\120261121080000/' cairo.pdf object-streams-updated.pdf

gen pki "$tmp/pki"
"$python" "$here/make.py" signed "$out" "$tmp/pki"
gen pdfsign "$tmp/pki" "$out/classic.pdf" "$out/signed-pdfsign.pdf"
cp "$tmp"/pki/{root.pem,issuing.pem,root.crl,issuing.crl} signers/

status=0
for f in *.pdf signers/*; do
  case $f in signed-* | certified-* | encrypted-* | signers/*) fresh=true ;; *) fresh=false ;; esac
  if cmp -s "$f" "$here/$f"; then continue; fi
  if $install && { ! $fresh || $signed; }; then
    install -D -m 644 "$f" "$here/$f"
    echo "installed $f"
  elif ! $fresh; then
    echo "differs   $f"
    status=1
  fi
done
exit $status
