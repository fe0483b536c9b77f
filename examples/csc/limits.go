package main

// Limits on what a service may answer. It is not trusted with more than a signature.
const (
	maxAnswer       = 1 << 20  // bytes of one answer
	maxCredentials  = 10_000   // listed in all
	maxPages        = 200      // of the list
	maxCertificates = 16       // of a credential
	maxCertificate  = 64 << 10 // bytes of one
	maxText         = 200      // bytes of its words that are shown
	maxToken        = 8 << 10  // bytes of the authorization of a signature
)
