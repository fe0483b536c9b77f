package verify

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/sign/seal"
)

// StatusListDraft is a [StatusList] that is to be signed.
type StatusListDraft struct {
	// Number must be above that of every list that the key signed before.
	Number uint64
	// Issued and NextUpdate are in whole seconds.
	Issued, NextUpdate time.Time
	Specimen           bool
	// Revoked and Void may come in any order. A serial may be given again; a key
	// may not.
	Revoked []RevokedKey
	Void    []serial.Number
}

// Sign encodes and signs the list with a list key, Ed25519 or ECDSA P-256. It
// makes one call of signer. What has no encoding is a *StatusListError.
func (d *StatusListDraft) Sign(signer crypto.Signer) ([]byte, error) {
	key, err := seal.NewKey(signer.Public())
	if err != nil {
		return nil, err
	}
	b, err := d.header(key)
	if err != nil {
		return nil, err
	}
	if b, err = d.appendRevoked(b); err != nil {
		return nil, err
	}
	if b, err = d.appendVoid(b); err != nil {
		return nil, err
	}
	signature, err := key.SignDetached(signer, listMessage(b))
	if err != nil {
		return nil, err
	}
	return append(b, signature[:]...), nil
}

// header writes everything before the entries but the number of serials, which is
// known when they are sorted.
func (d *StatusListDraft) header(key *seal.Key) ([]byte, error) {
	switch {
	case d.Number == 0:
		return nil, &StatusListError{listNumber, "the number is zero"}
	case !d.NextUpdate.After(d.Issued):
		return nil, &StatusListError{listNext, "the next update is not after the time of issue"}
	case len(d.Revoked) > revokedMax:
		return nil, &StatusListError{listRevoked, fmt.Sprintf("more than %d revoked keys", revokedMax)}
	}
	b := make([]byte, 0, listHeader+len(d.Revoked)*revokedSize+len(d.Void)*serialSize+listSignature)
	b = append(append(b, listMagic...), byte(key.Algorithm()), 0)
	if d.Specimen {
		b[listFlags] |= listSpecimen
	}
	hash := key.Hash()
	b = binary.BigEndian.AppendUint64(append(b, hash[:]...), d.Number)
	for _, t := range [2]time.Time{d.Issued, d.NextUpdate} {
		var ok bool
		if b, ok = appendListTime(b, t); !ok {
			return nil, &StatusListError{len(b), "a time that is not in whole seconds since 1970"}
		}
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(d.Revoked)))
	return binary.BigEndian.AppendUint32(b, 0), nil
}

func (d *StatusListDraft) appendRevoked(b []byte) ([]byte, error) {
	list := slices.Clone(d.Revoked)
	slices.SortFunc(list, func(x, y RevokedKey) int { return bytes.Compare(x.Key[:], y.Key[:]) })
	for i := range list {
		at, ok := len(b), false
		if i > 0 && list[i].Key == list[i-1].Key {
			return nil, &StatusListError{at, "a revoked key is given twice"}
		}
		if !list[i].Reason.known() {
			return nil, &StatusListError{at, "an unknown reason of revocation"}
		}
		if b, ok = appendListTime(append(b, list[i].Key[:]...), list[i].At); !ok {
			return nil, &StatusListError{at + sha256.Size, "a time that is not in whole seconds since 1970"}
		}
		b = append(b, byte(list[i].Reason))
	}
	return b, nil
}

func (d *StatusListDraft) appendVoid(b []byte) ([]byte, error) {
	packed := make([][serialSize]byte, len(d.Void))
	for i, n := range d.Void {
		if n.IsZero() {
			return nil, &StatusListError{len(b), "not a serial number"}
		}
		packed[i] = n.Packed()
	}
	slices.SortFunc(packed, func(x, y [serialSize]byte) int { return bytes.Compare(x[:], y[:]) })
	packed = slices.Compact(packed)
	if len(packed) > voidMax {
		return nil, &StatusListError{listVoid, fmt.Sprintf("more than %d void serials", voidMax)}
	}
	binary.BigEndian.PutUint32(b[listVoid:], uint32(len(packed)))
	for i := range packed {
		b = append(b, packed[i][:]...)
	}
	return b, nil
}
