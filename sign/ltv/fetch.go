package ltv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// errOffline says that there is no client to ask with.
var errOffline = errors.New("no HTTP client was given")

// fetcher asks over HTTP and keeps what it got.
type fetcher struct {
	client *http.Client
	bytes  int64
	wait   time.Duration
	now    func() time.Time

	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	body  []byte
	until time.Time
}

func newFetcher(opt *Options) *fetcher {
	f := &fetcher{bytes: opt.MaxResponse, wait: opt.Timeout, now: opt.Now, kept: make(map[string]kept)}
	if opt.HTTP != nil {
		c := *opt.HTTP
		c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("too many redirects")
			}
			return checkURL(r.URL)
		}
		f.client = &c
	}
	return f
}

func checkURL(u *url.URL) error {
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return errors.New("not an address of http or https")
	}
	return nil
}

// recall gives what is kept under a name and not due for renewal.
func (f *fetcher) recall(name string) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.kept[name]
	return k.body, ok && f.now().Before(k.until)
}

// remember keeps an answer that was found good.
func (f *fetcher) remember(name string, body []byte, until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.kept) >= maxCache {
		clear(f.kept) // rare, and everything can be asked for again
	}
	f.kept[name] = kept{body, until}
}

// get asks for an address; with a body it posts that, of the media type given.
func (f *fetcher) get(ctx context.Context, address string, body []byte, media string) ([]byte, error) {
	if f.client == nil {
		return nil, errOffline
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("an address cannot be read")
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	method, content := http.MethodGet, io.Reader(nil)
	if body != nil {
		method, content = http.MethodPost, bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Host, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", media)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Host, plain(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: HTTP status %d", u.Host, resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, f.bytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Host, plain(err))
	}
	if int64(len(b)) > f.bytes {
		return nil, fmt.Errorf("%s: the answer has more than %d bytes", u.Host, f.bytes)
	}
	return b, nil
}

// plain leaves out the address, which may hold what does not belong into a log.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
