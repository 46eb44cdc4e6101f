// A consumer group's members with franz-go; tests/compat/groups/README.md says how they are driven.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	out     sync.Mutex
	members sync.WaitGroup
)

func say(format string, words ...any) {
	out.Lock()
	defer out.Unlock()
	fmt.Printf(format+"\n", words...)
}

// What one member has; franz-go tells changes, the test wants the whole.
type held struct {
	sync.Mutex
	name       string
	partitions map[int32]bool
}

func (h *held) change(changes map[string][]int32, holds bool) {
	h.Lock()
	defer h.Unlock()
	for _, partitions := range changes {
		for _, p := range partitions {
			if holds {
				h.partitions[p] = true
			} else {
				delete(h.partitions, p)
			}
		}
	}
	var all []int
	for p := range h.partitions {
		all = append(all, int(p))
	}
	sort.Ints(all)
	say("%s assigned %s", h.name, strings.Trim(strings.ReplaceAll(fmt.Sprint(all), " ", ","), "[]"))
}

func balancer(strategy string) kgo.GroupBalancer {
	switch strategy {
	case "range":
		return kgo.RangeBalancer()
	case "roundrobin":
		return kgo.RoundRobinBalancer()
	case "sticky":
		return kgo.StickyBalancer()
	case "cooperative-sticky":
		return kgo.CooperativeStickyBalancer()
	}
	panic("strategy " + strategy)
}

func options(servers, topic, group, strategy, name string) []kgo.Opt {
	h := &held{name: name, partitions: map[int32]bool{}}
	gained := func(_ context.Context, _ *kgo.Client, p map[string][]int32) { h.change(p, true) }
	gone := func(_ context.Context, _ *kgo.Client, p map[string][]int32) { h.change(p, false) }
	result := []kgo.Opt{
		kgo.SeedBrokers(servers), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.Balancers(balancer(strategy)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(), kgo.SessionTimeout(3 * time.Second),
		kgo.HeartbeatInterval(500 * time.Millisecond), kgo.RebalanceTimeout(10 * time.Second),
		kgo.FetchMaxWait(200 * time.Millisecond), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(gained), kgo.OnPartitionsRevoked(gone), kgo.OnPartitionsLost(gone),
	}
	if strings.HasPrefix(name, "static-") {
		result = append(result, kgo.InstanceID(name))
	}
	return result
}

func member(ctx context.Context, client *kgo.Client, name string) {
	defer members.Done()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		fetches.EachRecord(func(r *kgo.Record) { say("%s record %d %d", name, r.Partition, r.Offset) })
		if !fetches.Empty() {
			commit, cancel := context.WithTimeout(ctx, 2*time.Second)
			_ = client.CommitUncommittedOffsets(commit) // what cannot be committed is read again
			cancel()
		}
		client.AllowRebalance()
	}
	client.Close()
}

func main() {
	servers, topic, group, strategy, names := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5:]
	ctx, leave := context.WithCancel(context.Background())
	for _, name := range names {
		say("%s joins", name)
		client, err := kgo.NewClient(options(servers, topic, group, strategy, name)...)
		if err != nil {
			panic(err)
		}
		members.Add(1)
		go member(ctx, client, name)
	}
	bufio.NewScanner(os.Stdin).Scan()
	leave()
	members.Wait()
}
