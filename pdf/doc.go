// Package pdf reads PDF files strictly and within bounds, and appends
// incremental updates to them without touching a byte of what is there.
//
// It follows ISO 32000-2:2020: file structure (7.5), objects (7.3), filters
// (7.4), encryption by password (7.6), the page tree (7.7.3) and interactive form
// fields (12.7). The two calls to make are [Open], which reads the end of the file
// and its cross-reference sections, and [NewUpdate], which lays out the bytes to be
// appended:
//
//	f, err := pdf.Open(r, size, nil)
//	page, err := f.Page(-1)
//	annots, err := f.Annotations(page)
//	u := pdf.NewUpdate(f)
//	page.Dict["Annots"] = append(annots, u.Add(annotation))
//	u.Set(page.Ref, page.Dict)
//	tail, err := u.Bytes() // to be appended to the file
//
// Left out are rendering, text, fonts and images. A file whose cross-reference
// data is broken gets a [*MalformedError], which is [ErrDamaged], because two
// readers that repair it may well see two different documents.
//
// # Repair
//
// With Options.Repair such a file is read all the same, by these rules:
//
//   - One pass over the bytes from the header on notes every "n g obj", every
//     trailer dictionary and every %%EOF. The objects are then read in the order of
//     the file. What lies inside one that was read, in its strings or in the data of
//     a stream, is no object: a stream ends where its /Length says if endstream
//     stands there, or else at the first endstream before the next of these places.
//   - Of several definitions of an object the last in the file counts. Object
//     streams count where they stand, as far as their own number is theirs.
//   - An object that cannot be read, or that has no end, counts as missing, whatever
//     definitions there are before it. Cross-reference streams are trailers and no
//     objects. What the file had deleted is there again.
//   - The last trailer that has a /Root is that of the file; without one the last
//     object of /Type /Catalog is the catalog. A file that may be encrypted is
//     refused unless the trailer has /Encrypt and /ID.
//
// The same bytes are always read the same. Where other readers are likely to differ,
// because an object is defined twice in one revision or bytes in a stream look like
// an object for example, [File.Repaired] says so; also where a table that is still in
// the file leads to something else, since a reader that is less strict goes by it. It
// says nothing of what is written wrong inside objects: lengths and filters are not
// mended. The pass is linear in the size of the file, takes some 60 bytes for each
// object found (Limits.Definitions), and holds no part of the file. An [Update] of
// such a file lists all its objects, so that every reader opens the result regularly.
//
// # Memory and time
//
// The file is read through an [io.ReaderAt] in small pieces and never held as
// a whole. A classic cross-reference table is not parsed when the file is
// opened: the entry of an object is read when the object is wanted, so a file
// with tables takes the same memory whatever its size. Cross-reference streams
// are held unpacked, some 5 to 8 bytes an object, up to Limits.XRefBytes; tables
// whose entries have not the regular 20 bytes are held parsed within the same
// limit. A few object streams are kept decoded: 16, together at most 8 MB or
// the one in use. Objects, streams and page or field walks take what the caller
// asks for. Whatever a file asks for is bounded by [Limits]; recursion is
// bounded by counters.
//
// # Encryption
//
// Files encrypted by the standard security handler, revisions 2 to 6, are
// decrypted where an object is read, with the password of [Options] or the empty
// one, which many files have that only restrict what may be done with them. An
// [Update] is encrypted like its file. [File.Encryption] tells the author's
// permissions, which are for the caller to respect, or why a file cannot be
// decrypted: a wrong password, certificates instead of passwords, a damaged
// dictionary. Nothing is guessed there either: data without proper padding is
// damaged, and so is a dictionary that contradicts itself. The bytes in the file
// stay in reach by [File.RawStream], [File.Locate] and [File.ObjectSpan].
//
// Encryption says nothing about who wrote a file or whether it was changed since;
// RC4 and the revisions before 6 do not keep secrets either.
//
// # Verification
//
// [File.Revisions] finds the incremental updates of a file, [File.At] shows
// the file as it was after one of them, [File.Changed] lists what one of them
// defines, [File.Oddities] what readers may understand differently in it,
// [File.Locate] gives the exact bytes of a value, and [File.Duplicates] the keys
// that a dictionary repeats.
//
// # Concurrency
//
// A File keeps buffers, some of them together with those that [File.At] makes
// of it, and is not safe for concurrent use. Opening is cheap: open the same
// io.ReaderAt once for each goroutine.
package pdf
