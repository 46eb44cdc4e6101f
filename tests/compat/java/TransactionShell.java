import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Transactional producers that do what they are told; tests/compat/transactions/README.md says how. */
public final class TransactionShell {
    private static final Map<String, KafkaProducer<String, String>> PRODUCERS = new HashMap<>();

    private TransactionShell() {
    }

    public static void main(String[] args) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(answer(args[0], line.split(" ")));
            System.out.flush();
        }
        System.exit(0);
    }

    private static String answer(String servers, String[] words) {
        try {
            act(servers, words);
            return "ok";
        } catch (RuntimeException e) { // one clause, because exceptions have other parents in other releases
            boolean fenced = e instanceof ProducerFencedException || e instanceof InvalidProducerEpochException;
            return fenced ? "fenced" : "error " + e.toString().replace('\n', ' ');
        }
    }

    private static void act(String servers, String[] words) {
        KafkaProducer<String, String> producer = PRODUCERS.get(words[0]);
        switch (words[1]) {
            case "init" -> PRODUCERS.put(words[0], init(servers, words[2], Integer.parseInt(words[3])));
            case "begin" -> producer.beginTransaction();
            case "send" -> send(producer, words[2], words[3]);
            case "offset" -> producer.sendOffsetsToTransaction(
                Map.of(new TopicPartition(words[3], 0), new OffsetAndMetadata(Long.parseLong(words[4]))),
                nobody(servers, words[2]));
            case "commit" -> producer.commitTransaction();
            case "abort" -> producer.abortTransaction();
            default -> throw new IllegalArgumentException(words[1]);
        }
    }

    /** A consumer of the group that is no member of it. */
    private static ConsumerGroupMetadata nobody(String servers, String group) {
        Map<String, Object> settings = Map.of("bootstrap.servers", servers, "group.id", group);
        try (KafkaConsumer<String, String> consumer =
                 new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            return consumer.groupMetadata();
        }
    }

    private static KafkaProducer<String, String> init(String servers, String id, int timeoutMs) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", servers);
        settings.put("transactional.id", id);
        settings.put("transaction.timeout.ms", timeoutMs);
        KafkaProducer<String, String> producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        return producer;
    }

    private static void send(KafkaProducer<String, String> producer, String topic, String value) {
        var sent = producer.send(new ProducerRecord<>(topic, 0, null, value));
        producer.flush();
        try {
            sent.get();
        } catch (java.util.concurrent.ExecutionException e) {
            if (e.getCause() instanceof KafkaException)
                throw (KafkaException) e.getCause();
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
