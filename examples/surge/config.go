package main

import (
	"cmp"
	"time"

	"github.com/seed-574216e4/meterai/examples/surge/internal/chaos"
	"github.com/seed-574216e4/meterai/examples/surge/internal/crowd"
	"github.com/seed-574216e4/meterai/examples/surge/internal/load"
	"github.com/seed-574216e4/meterai/examples/surge/internal/plant"
	"github.com/seed-574216e4/meterai/examples/surge/internal/portal"
	"github.com/seed-574216e4/meterai/examples/surge/internal/replay"
	"github.com/seed-574216e4/meterai/serial"
	"github.com/seed-574216e4/meterai/serial/admission"
)

const (
	maxWait     = 4 * time.Second // in the queue
	callTimeout = 4 * time.Second // of an issuer
	// answerWithin is how long a person may hear nothing: the wait and the call, and what a machine under three times its
	// load needs to wake up a goroutine.
	answerWithin = maxWait + callTimeout + 3*time.Second
	// maxRetry is the longest time after which somebody is told to come again. The last hours are longer than it and
	// maxWait together, so that those who come again meet those who come.
	maxRetry = 5 * time.Second
	rush     = 9500 * time.Millisecond
	// over is how many times the capacity comes in the last hours. What is measured before is less than the best, and
	// three times the best is wanted.
	over = 3.75
)

// embeddedConfig is the replay in one process.
func embeddedConfig(f *flags) replay.Config {
	length := cmp.Or(f.duration, 36*time.Second)
	hour := (&load.Curve{Length: length}).Hour()
	return replay.Config{
		Seed: f.seed, Chaos: f.chaos, Length: length, Rush: min(rush, length/5), Over: over * f.scale, Usual: 0.7 * f.scale,
		Measure: min(4*time.Second, length/8), Capacity: f.capacity, Dealers: 8, Pool: 200_000, Callers: 32,
		Late: 1500 * time.Millisecond, Drain: cmp.Or(f.drain, 60*time.Second), Tick: 250 * time.Millisecond, Look: 2 * time.Second,
		Scale: load.Scale{Callback: hour, Late: 6 * hour},
		Plans: []chaos.Plan{
			{Kind: chaos.ClockOff, At: 0.06, For: length / 40},
			{Kind: chaos.TSADown, At: 0.14, For: max(hour, length/30)},
			{Kind: chaos.KeyLost, At: 0.27, For: length / 40},
			{Kind: chaos.DiskFull, At: 0.33, For: length / 30},
			{Kind: chaos.Outage, At: 0.48, For: length / 15}, // in the busy hours, as of 2024
			{Kind: chaos.Crash, At: 0.675, For: 0},
			{Kind: chaos.DoorFull, At: 0.70, For: length / 30},
			{Kind: chaos.KeyLost, At: 0.92, For: length / 160}, // in the last hours
		},
	}
}

// fullIssuers is how many processes issue.
const fullIssuers = 3

// fullConfig is the replay with several processes.
func fullConfig(f *flags) replay.Config {
	cfg := embeddedConfig(f)
	length := cmp.Or(f.duration, 280*time.Second)
	hour := (&load.Curve{Length: length}).Hour()
	cfg.Length, cfg.Rush, cfg.Measure = length, min(rush, length/5), min(12*time.Second, length/8)
	cfg.Usual = 0.95 * f.scale
	cfg.Pool, cfg.Dealers, cfg.Callers, cfg.Tick, cfg.Look = 1_000_000, 20, 48, 500*time.Millisecond, 12*time.Second
	cfg.Bulk, cfg.Enough = 24, 115_000
	cfg.Late, cfg.Drain = 3*time.Second, cmp.Or(f.drain, 120*time.Second)
	cfg.Scale = load.Scale{Callback: min(hour, time.Second), Late: min(3*hour, 8*time.Second)}
	short := func(d time.Duration) time.Duration { return min(d, length/20) }
	cfg.Plans = []chaos.Plan{
		{Kind: chaos.Crash, At: 0.05, For: short(time.Second)},
		{Kind: chaos.KeyLost, At: 0.11, For: short(4 * time.Second)},
		{Kind: chaos.TSADown, At: 0.17, For: hour},
		{Kind: chaos.ClockOff, At: 0.23, For: short(5 * time.Second)},
		{Kind: chaos.TokenOut, At: 0.30, For: short(8 * time.Second)},
		{Kind: chaos.Crash, At: 0.37, For: short(2 * time.Second)},
		{Kind: chaos.Outage, At: 0.48, For: short(4 * time.Second)}, // in the busy hours, as of 2024
		{Kind: chaos.DiskFull, At: 0.57, For: short(3 * time.Second)},
		{Kind: chaos.Paused, At: 0.68, For: length / 20},
		{Kind: chaos.DoorFull, At: 0.75, For: short(4 * time.Second)},
		{Kind: chaos.KeyLost, At: 1 - 0.5*cfg.Rush.Seconds()/length.Seconds(), For: short(time.Second)}, // in the last hours
	}
	return cfg
}

// plantOptions is how the plant is built for a replay.
func plantOptions(cfg *replay.Config, dir string, meter *portal.Meter) plant.Options {
	days := 48 * (&load.Curve{Length: cfg.Length}).Hour()
	return plant.Options{
		Dir: dir, Issuers: 1, Account: crowd.Pool(0), Sweep: &serial.SweepOptions{Hold: days, Void: days},
		Front: portal.Options{
			Meter: meter, Timeout: callTimeout, Again: 400 * time.Millisecond,
			Queue: &admission.Options{
				Workers: 32, MaxWait: maxWait, MinRetry: 300 * time.Millisecond, MaxRetry: maxRetry, Service: 20 * time.Millisecond,
				Capacity: map[admission.Lane]int{admission.Resume: 4096, admission.Redeem: 2048, admission.Purchase: 512, admission.Register: 512},
			},
		},
	}
}
