// Workers that read, transform and produce in transactions, with franz-go; ../README.md says how they are driven.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var saying sync.Mutex

func say(format string, words ...any) {
	saying.Lock()
	defer saying.Unlock()
	fmt.Printf(format+"\n", words...)
}

func options(name string, timeout time.Duration) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(os.Args[1]), kgo.ConsumeTopics(os.Args[2]), kgo.DefaultProduceTopic(os.Args[3]),
		kgo.ConsumerGroup(os.Args[4]), kgo.TransactionalID(name), kgo.TransactionTimeout(timeout),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(3 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.RebalanceTimeout(10 * time.Second), kgo.FetchMaxWait(200 * time.Millisecond),
	}
}

func fenced(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
}

// One transaction over what a poll gives; an error means that the client has to be made anew.
func turn(ctx context.Context, session *kgo.GroupTransactSession, name string) error {
	polling, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	fetches := session.PollRecords(polling, 100)
	cancel()
	records := fetches.Records()
	if len(records) == 0 {
		return nil
	}
	if err := session.Begin(); err != nil {
		return err
	}
	failure := kgo.AbortingFirstErrPromise(session.Client())
	for _, r := range records {
		session.Produce(context.Background(), &kgo.Record{Key: r.Key, Value: r.Value}, failure.Promise())
	}
	time.Sleep(time.Duration(rand.Intn(20)) * time.Millisecond)
	wanted := rand.Intn(8) != 0
	if !wanted {
		if err := session.Client().Flush(context.Background()); err != nil {
			return err
		}
	}
	produced := failure.Err()
	committed, err := session.End(context.Background(), kgo.TransactionEndTry(wanted && produced == nil))
	switch {
	case err != nil:
		return err
	case committed:
		say("%s committed %d", name, len(records))
	case wanted && fenced(produced):
		return produced
	case wanted:
		say("%s failed %v", name, produced)
	default:
		say("%s aborted", name)
	}
	return nil
}

// Runs one client until it is told to leave or cannot go on; whether a new one is to be made.
func once(ctx context.Context, name string, timeout time.Duration) bool {
	session, err := kgo.NewGroupTransactSession(options(name, timeout)...)
	if err != nil {
		panic(err)
	}
	defer session.Close()
	say("%s starts", name)
	for ctx.Err() == nil {
		if err := turn(ctx, session, name); fenced(err) {
			say("%s fenced", name)
			return false
		} else if err != nil {
			say("%s restarts %v", name, err)
			return true
		}
	}
	return false
}

func main() {
	if os.Args[1] == "shell" {
		shell(os.Args[2])
		return
	}
	ms, err := strconv.Atoi(os.Args[5])
	if err != nil {
		panic(err)
	}
	rand.Seed(time.Now().UnixNano())
	ctx, leave := context.WithCancel(context.Background())
	go func() {
		bufio.NewScanner(os.Stdin).Scan()
		leave()
	}()
	var workers sync.WaitGroup
	for _, name := range os.Args[6:] {
		workers.Add(1)
		go func(name string) {
			defer workers.Done()
			for once(ctx, name, time.Duration(ms)*time.Millisecond) {
			}
		}(name)
	}
	workers.Wait()
}
