/*
 * Writes a partition with committed, aborted and open transactions into a running Apache Kafka, and prints what its consumer reads there
 * (tests/golden/log/transactions/expected.txt). See ./make.
 *
 * Usage: java -cp 'KAFKA_LIBS/*' GoldenTransactions.java HOST:PORT
 */
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class GoldenTransactions {
    static final String TOPIC = "t";
    static final TopicPartition PARTITION = new TopicPartition(TOPIC, 0);
    static String address;

    static KafkaProducer<String, String> producer(String id) {
        Properties p = new Properties();
        p.put("bootstrap.servers", address);
        p.put("transaction.timeout.ms", "600000");
        if (id != null) p.put("transactional.id", id);
        KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
        if (id != null) producer.initTransactions();
        return producer;
    }

    static void send(KafkaProducer<String, String> p, String value) throws Exception {
        p.send(new ProducerRecord<>(TOPIC, 0, "k", value)).get();
    }

    static void read(String isolation) {
        Properties p = new Properties();
        p.put("bootstrap.servers", address);
        p.put("isolation.level", isolation);
        try (var c = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer())) {
            c.assign(List.of(PARTITION));
            c.seekToBeginning(List.of(PARTITION));
            long end = c.endOffsets(List.of(PARTITION)).get(PARTITION);
            System.out.println(isolation + " end " + end);
            while (c.position(PARTITION) < end)
                for (var r : c.poll(Duration.ofMillis(200))) System.out.println(isolation + " " + r.offset() + " " + r.value());
        }
    }

    public static void main(String[] args) throws Exception {
        address = args[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
            admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1).configs(Map.of("segment.ms", "1000")))).all().get();
            var a = producer("a");
            var b = producer("b");
            var plain = producer(null);
            a.beginTransaction();
            b.beginTransaction();
            send(a, "a1");
            send(b, "b1");
            send(plain, "plain1");
            a.commitTransaction();
            send(b, "b2");
            b.abortTransaction();
            b.beginTransaction();
            send(b, "b3");
            Thread.sleep(1500); // a new segment
            a.beginTransaction();
            send(a, "a2");
            send(plain, "plain2");
            b.abortTransaction();
            a.abortTransaction();
            b.beginTransaction();
            send(b, "b4");
            b.commitTransaction();
            Thread.sleep(1500); // and another one
            a.beginTransaction();
            send(a, "a3");
            b.beginTransaction();
            send(b, "b5");
            b.abortTransaction();
            send(plain, "plain3");
            read("read_uncommitted");
            read("read_committed");
            for (var s : admin.describeProducers(List.of(PARTITION)).partitionResult(PARTITION).get().activeProducers())
                System.out.println("producer " + s.producerId() + " " + s.producerEpoch() + " " + s.lastSequence() + " "
                    + s.lastTimestamp() + " " + s.coordinatorEpoch().orElse(-1) + " " + s.currentTransactionStartOffset().orElse(-1));
        }
        System.out.flush();
        Runtime.getRuntime().halt(0); // a's transaction stays open
    }
}
