// Publishes and consumes with Watermill, for the rows of `npm run bench -- watermill`.
//
// Usage: watermill <nats | jetstream | kafka> <address> <topic>. Each line on standard input, `publish <count>` or
// `consume <count>`, is one turn; the answer is a line with the milliseconds that it took.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// As many as Watermill's own benchmark has.
const publishers = 64

// Order is the data of the event of bench/event.ts.
type Order struct {
	OrderID string  `json:"orderId"`
	Sku     string  `json:"sku"`
	Price   float64 `json:"price"`
	Note    string  `json:"note"`
}

var order = Order{OrderID: "o-1234567", Sku: "teapot", Price: 12.5, Note: strings.Repeat("x", 100)}

// System is what differs from broker to broker.
type System interface {
	Publisher() message.Publisher
	// Flush returns when the broker has all that was published.
	Flush() error
	// Subscriber makes a group of its own that begins with the oldest message. The function returns when the broker
	// knows its subscription.
	Subscriber(group string) (message.Subscriber, func() error, error)
	// Stored tells whether a subscriber gets what was published before it came.
	Stored() bool
}

func open(system, address string) (System, error) {
	switch system {
	case "nats":
		return openNats(address, false)
	case "jetstream":
		return openNats(address, true)
	case "kafka":
		return openKafka(address)
	}
	return nil, fmt.Errorf("no system %q", system)
}

func publish(system System, topic string, count int) error {
	failures := make(chan error, publishers)
	var group sync.WaitGroup
	for each := 0; each < publishers; each++ {
		share := count / publishers
		if each < count%publishers {
			share++
		}
		group.Add(1)
		go func() {
			defer group.Done()
			for sent := 0; sent < share; sent++ {
				payload, err := json.Marshal(order)
				if err == nil {
					err = system.Publisher().Publish(topic, message.NewMessage(watermill.NewUUID(), payload))
				}
				if err != nil {
					failures <- err
					return
				}
			}
		}()
	}
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return system.Flush()
	}
}

// consume times from the first message to the last; where nothing is stored, from the first that is published.
func consume(system System, topic, group string, count int) (time.Duration, error) {
	subscriber, active, err := system.Subscriber(group)
	if err != nil {
		return 0, err
	}
	defer subscriber.Close()
	messages, err := subscriber.Subscribe(context.Background(), topic)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	failure := make(chan error, 1)
	if !system.Stored() {
		if err := active(); err != nil {
			return 0, err
		}
		start = time.Now()
		go func() { failure <- publish(system, topic, count) }()
	}
	for seen := 0; seen < count; seen++ {
		msg, more := <-messages
		if !more {
			return 0, fmt.Errorf("ended after %d messages", seen)
		}
		if seen == 0 && system.Stored() {
			start = time.Now()
		}
		var got Order
		if err := json.Unmarshal(msg.Payload, &got); err != nil {
			return 0, err
		}
		msg.Ack()
	}
	elapsed := time.Since(start)
	if !system.Stored() {
		err = <-failure
	}
	return elapsed, err
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: watermill <nats | jetstream | kafka> <address> <topic>")
	}
	topic := os.Args[3]
	system, err := open(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	turns := 0
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); turns++ {
		var what string
		var count int
		if _, err := fmt.Sscan(lines.Text(), &what, &count); err != nil {
			log.Fatal(err)
		}
		start := time.Now()
		var elapsed time.Duration
		if what == "publish" {
			err = publish(system, topic, count)
			elapsed = time.Since(start)
		} else {
			elapsed, err = consume(system, topic, fmt.Sprintf("watermill-%d-%d", os.Getpid(), turns), count)
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%.3f\n", float64(elapsed.Microseconds())/1000)
	}
}
