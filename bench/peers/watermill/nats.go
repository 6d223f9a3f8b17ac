package main

import (
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
)

type natsSystem struct {
	connection *nats.Conn
	address    string
	publisher  *wmnats.Publisher
	stored     bool
}

func openNats(address string, stored bool) (System, error) {
	connection, err := nats.Connect(address)
	if err != nil {
		return nil, err
	}
	config := wmnats.PublisherPublishConfig{
		Marshaler:         &wmnats.NATSMarshaler{},
		SubjectCalculator: wmnats.DefaultSubjectCalculator,
		JetStream:         wmnats.JetStreamConfig{Disabled: !stored, TrackMsgId: stored},
	}
	publisher, err := wmnats.NewPublisherWithNatsConn(connection, config, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	return &natsSystem{connection, address, publisher, stored}, nil
}

func (s *natsSystem) Publisher() message.Publisher { return s.publisher }
func (s *natsSystem) Flush() error                 { return s.connection.Flush() }
func (s *natsSystem) Stored() bool                 { return s.stored }

func (s *natsSystem) Subscriber(group string) (message.Subscriber, func() error, error) {
	connection, err := nats.Connect(s.address)
	if err != nil {
		return nil, nil, err
	}
	jetstream := wmnats.JetStreamConfig{Disabled: true}
	if s.stored {
		// Acknowledging without waiting is the faster of its two ways.
		jetstream = wmnats.JetStreamConfig{
			DurablePrefix:    group,
			AckAsync:         true,
			SubscribeOptions: []nats.SubOpt{nats.DeliverAll(), nats.MaxAckPending(10_000)},
		}
	}
	subscriber, err := wmnats.NewSubscriberWithNatsConn(connection, wmnats.SubscriberSubscriptionConfig{
		QueueGroupPrefix: group,
		CloseTimeout:     10 * time.Second,
		AckWaitTimeout:   30 * time.Second,
		Unmarshaler:      &wmnats.NATSMarshaler{},
		JetStream:        jetstream,
	}, watermill.NopLogger{})
	return subscriber, connection.Flush, err
}
