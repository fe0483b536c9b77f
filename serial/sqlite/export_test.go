package sqlite

// OnVFS gives options that open the database through a file system of SQLite's.
func OnVFS(name string) *Options { return &Options{vfs: name} }

// Schema is that of a new database, for comparisons.
const Schema = schema
