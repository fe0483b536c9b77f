package sqlite

// OnVFS gives options that open the database through a file system of SQLite's.
func OnVFS(name string) *Options { return &Options{vfs: name} }

// InSteps gives options of a store whose backups copy so many pages at a time.
func InSteps(pages int32) *Options { return &Options{step: pages} }

// Schema is that of a new database, for comparisons.
const Schema = schema
