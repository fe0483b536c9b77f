package admission_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/seed-574216e4/meterai/serial/admission"
)

// refuse answers a caller who was not admitted.
func refuse(w http.ResponseWriter, refused *admission.RefusedError) {
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(refused, admission.ErrAccountFull):
		status = http.StatusTooManyRequests
	case errors.Is(refused, admission.ErrLane):
		status = http.StatusInternalServerError
	}
	if refused.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refused.RetryAfter.Seconds()))))
	}
	http.Error(w, "Nothing was taken from your quota. Please come again later.", status)
}

// A handler admits before anything is debited, and tells who has no place when to come again.
func Example() {
	queue := admission.New(&admission.Options{Workers: 1, Capacity: map[admission.Lane]int{admission.Purchase: 0}})
	handler := func(lane admission.Lane) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
			defer cancel()
			ticket := admission.Ticket{Lane: lane, Account: r.Header.Get("Account")}
			err := queue.Do(ctx, ticket, func(ctx context.Context) error {
				_, err := fmt.Fprint(w, "stamped") // here the ledger redeems a unit, with ctx
				return err
			})
			if refused, ok := errors.AsType[*admission.RefusedError](err); ok {
				refuse(w, refused)
			}
		})
	}
	for _, lane := range []admission.Lane{admission.Redeem, admission.Purchase} {
		w := httptest.NewRecorder()
		handler(lane).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
		seconds, err := strconv.Atoi(w.Header().Get("Retry-After"))
		fmt.Println(lane, w.Code, err == nil && 1 <= seconds && seconds <= 300)
	}
	// Output:
	// redeem 200 false
	// purchase 503 true
}

// After a collapse the operator finishes what was begun first, and opens the other lanes step by step.
func ExampleQueue_Limit() {
	queue := admission.New(&admission.Options{Capacity: map[admission.Lane]int{admission.Purchase: 0, admission.Register: 0}})
	buy := func() error {
		return queue.Do(context.Background(), admission.Ticket{Lane: admission.Purchase, Account: "a"}, func(context.Context) error { return nil })
	}
	fmt.Println(errors.Is(buy(), admission.ErrFull))
	fmt.Println(queue.Limit(admission.Purchase, 100))
	fmt.Println(buy())
	// Output:
	// true
	// <nil>
	// <nil>
}

// While a caller waits it can be told where it stands.
func ExampleTicket_notify() {
	queue := admission.New(&admission.Options{Workers: 1})
	release, err := queue.Enter(context.Background(), admission.Ticket{Lane: admission.Redeem, Account: "a"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ticket := admission.Ticket{Lane: admission.Redeem, Account: "b", Notify: func(p admission.Place) {
		fmt.Printf("%d ahead of you, about %v\n", p.Ahead, p.Wait.Round(100*time.Millisecond))
		go release()
	}}
	err = queue.Do(context.Background(), ticket, func(context.Context) error { fmt.Println("your turn"); return nil })
	fmt.Println(err)
	// Output:
	// 0 ahead of you, about 100ms
	// your turn
	// <nil>
}
