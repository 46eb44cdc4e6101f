package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var producers = map[string]*kgo.Client{}

// Makes a producer the owner of its transactional id.
func begin(servers, id, timeoutMs string) (*kgo.Client, error) {
	ms, err := strconv.Atoi(timeoutMs)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(servers), kgo.TransactionalID(id),
		kgo.TransactionTimeout(time.Duration(ms)*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	_, _, err = client.ProducerID(context.Background())
	return client, err
}

func act(servers string, words []string) (err error) {
	ctx := context.Background()
	producer := producers[words[0]]
	switch words[1] {
	case "init":
		producers[words[0]], err = begin(servers, words[2], words[3])
	case "begin":
		err = producer.BeginTransaction()
	case "send":
		err = producer.ProduceSync(ctx, &kgo.Record{Topic: words[2], Value: []byte(words[3])}).FirstErr()
	case "commit":
		err = producer.EndTransaction(ctx, kgo.TryCommit)
	case "abort":
		err = producer.EndTransaction(ctx, kgo.TryAbort)
	default:
		err = fmt.Errorf("%s is not to be had", words[1])
	}
	return err
}

// Transactional producers that do what they are told; ../README.md says how.
func shell(servers string) {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := act(servers, strings.Split(lines.Text(), " ")); fenced(err) {
			fmt.Println("fenced")
		} else if err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok")
		}
	}
}
