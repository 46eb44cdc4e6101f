"""What the compatibility tests share: brokers, Kafka's tools, the protocol by hand, records as lines."""
