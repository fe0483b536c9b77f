//go:build cgo

package pkcs11

import (
	"errors"
	"fmt"
	"strings"

	p11 "github.com/miekg/pkcs11"
)

var (
	// ErrUnavailable says that no token could answer; the same may succeed later.
	ErrUnavailable = errors.New("pkcs11: no token available")
	// ErrPIN says that a token refused the PIN, or that it is not the one of the
	// login that is there. Nothing is tried again before a person has looked.
	ErrPIN = errors.New("pkcs11: PIN refused")
	// ErrKey says that the key is not in the token, is there more than once, or
	// has another public key than expected. It is ErrUnavailable too when the key was
	// there before: it may come back.
	ErrKey = errors.New("pkcs11: no such key")
	// ErrSignature says that a token gave a signature that does not verify.
	ErrSignature = errors.New("pkcs11: wrong signature")
	// ErrClosed says that the signer or its module was closed.
	ErrClosed = errors.New("pkcs11: closed")
)

// errLost says that a key that was in a token is not there any more. Some libraries
// show a token that was taken away as an empty one, so this is a fault of the token.
var errLost = errors.New("pkcs11: the key is gone")

// Error says what failed in a token. It is one of the package's Err values where
// one fits.
type Error struct {
	Token string // label, or serial number when it has none
	Op    string // what was done: "C_Sign", "find key", "verify"
	Code  uint   // CK_RV of the call, zero when it did not return one
	Err   error  // cause, never nil
}

func (e *Error) Error() string {
	if e.Code != 0 {
		return fmt.Sprintf("pkcs11: token %q: %s: %s", e.Token, e.Op, e.Name())
	}
	return fmt.Sprintf("pkcs11: token %q: %s: %v", e.Token, e.Op, e.Err)
}

// Name is that of Code, such as CKR_DEVICE_REMOVED, or its hexadecimal value when
// it is a vendor's; empty when Code is zero.
func (e *Error) Name() string {
	if e.Code == 0 {
		return ""
	}
	// The binding has the names only inside of the error's text.
	text := p11.Error(e.Code).Error()
	if name := text[strings.LastIndexByte(text, ' ')+1:]; name != "" {
		return name
	}
	return fmt.Sprintf("%#x", e.Code)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is true for what the code means.
func (e *Error) Is(target error) bool {
	switch classOf(e.Err) {
	case classSession, classLogin, classHandle, classDevice, classBusy:
		return target == ErrUnavailable
	case classPIN:
		return target == ErrPIN
	}
	return false
}

// A class is what an error asks for.
type class int

const (
	classNone    class = iota // no error
	classOther                // the request itself: nothing to repair
	classSession              // another session
	classLogin                // a new login
	classHandle               // to find the key again
	classDevice               // to open the token again
	classBusy                 // fewer sessions
	classPIN                  // a person
)

// classes holds the codes that can be repaired; all others are classOther.
var classes = map[p11.Error]class{
	p11.CKR_SESSION_HANDLE_INVALID:         classSession,
	p11.CKR_SESSION_CLOSED:                 classSession,
	p11.CKR_OPERATION_NOT_INITIALIZED:      classSession,
	p11.CKR_OPERATION_ACTIVE:               classSession,
	p11.CKR_FUNCTION_CANCELED:              classSession,
	p11.CKR_USER_NOT_LOGGED_IN:             classLogin,
	p11.CKR_KEY_HANDLE_INVALID:             classHandle,
	p11.CKR_OBJECT_HANDLE_INVALID:          classHandle,
	p11.CKR_DEVICE_ERROR:                   classDevice,
	p11.CKR_DEVICE_REMOVED:                 classDevice,
	p11.CKR_TOKEN_NOT_PRESENT:              classDevice,
	p11.CKR_TOKEN_NOT_RECOGNIZED:           classDevice,
	p11.CKR_SLOT_ID_INVALID:                classDevice,
	p11.CKR_GENERAL_ERROR:                  classDevice,
	p11.CKR_CRYPTOKI_NOT_INITIALIZED:       classDevice,
	p11.CKR_SESSION_COUNT:                  classBusy,
	p11.CKR_HOST_MEMORY:                    classBusy,
	p11.CKR_DEVICE_MEMORY:                  classBusy,
	p11.CKR_FUNCTION_FAILED:                classBusy,
	p11.CKR_PIN_INCORRECT:                  classPIN,
	p11.CKR_PIN_INVALID:                    classPIN,
	p11.CKR_PIN_LEN_RANGE:                  classPIN,
	p11.CKR_PIN_EXPIRED:                    classPIN,
	p11.CKR_PIN_LOCKED:                     classPIN,
	p11.CKR_USER_PIN_NOT_INITIALIZED:       classPIN,
	p11.CKR_USER_ALREADY_LOGGED_IN:         classPIN,
	p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN: classPIN,
}

func classOf(err error) class {
	if err == nil {
		return classNone
	}
	var code p11.Error
	if errors.As(err, &code) {
		if c, ok := classes[code]; ok {
			return c
		}
	}
	if errors.Is(err, errLost) {
		return classDevice
	}
	return classOther
}

// fail gives an error of the token its place. An error that has one keeps it.
func (t *token) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	e := &Error{Token: t.name(), Op: op, Err: err}
	var code p11.Error
	if errors.As(err, &code) {
		e.Code = uint(code)
	}
	return e
}
