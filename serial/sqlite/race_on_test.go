//go:build race

package sqlite_test

const underRace = true // everything takes ten times as long
