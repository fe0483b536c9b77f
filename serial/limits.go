package serial

// Limits on what comes from outside. They bound memory and rows, not what a deployment may want to allow.
const (
	maxText    = 128     // bytes of text that Parse looks at: 22 symbols and generous separators
	maxAccount = 128     // bytes of an account name
	maxKey     = 256     // bytes of an idempotency key
	maxLabel   = 256     // bytes of a request's kind, placement or profile
	maxNote    = 1024    // bytes of a reason
	maxLength  = 1 << 40 // bytes of a document, exclusive: a seal has five bytes for it
	maxBlock   = 1 << 32 // numbers in one lease
	maxGroup   = 1024    // operations in one transaction
	maxSettle  = 4       // turns of the scheduler that a group waits for more: with many busy goroutines each turn is long
)
