"""The protocol's schemas: reading them (schema), Kafka's definitions of the same (kafka_json),
writing C (emit_*)."""
