package main

import (
	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
)

type kafkaSystem struct {
	brokers   []string
	publisher *kafka.Publisher
}

func openKafka(address string) (System, error) {
	config := kafka.DefaultSaramaSyncPublisherConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	publisher, err := kafka.NewPublisher(kafka.PublisherConfig{
		Brokers:               []string{address},
		Marshaler:             kafka.DefaultMarshaler{},
		OverwriteSaramaConfig: config,
	}, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	return &kafkaSystem{[]string{address}, publisher}, nil
}

func (s *kafkaSystem) Publisher() message.Publisher { return s.publisher }

// Flush has nothing to do: publishing returns with the broker's answer.
func (s *kafkaSystem) Flush() error { return nil }
func (s *kafkaSystem) Stored() bool { return true }

func (s *kafkaSystem) Subscriber(group string) (message.Subscriber, func() error, error) {
	config := kafka.DefaultSaramaSubscriberConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	subscriber, err := kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers:               s.brokers,
		Unmarshaler:           kafka.DefaultMarshaler{},
		OverwriteSaramaConfig: config,
		ConsumerGroup:         group,
	}, watermill.NopLogger{})
	return subscriber, s.Flush, err
}
