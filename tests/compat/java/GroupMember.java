import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A consumer group's members with the Java client; tests/compat/groups/README.md says how they are driven. */
public final class GroupMember {
    private static final Map<String, Class<?>> ASSIGNORS = Map.of("range", RangeAssignor.class, "roundrobin",
        RoundRobinAssignor.class, "sticky", StickyAssignor.class, "cooperative-sticky", CooperativeStickyAssignor.class);
    private static volatile boolean leaving;

    private GroupMember() {
    }

    public static void main(String[] args) throws Exception {
        List<Thread> members = Arrays.stream(args).skip(4)
            .map(name -> new Thread(() -> member(settings(args[0], args[2], args[3], name), args[1], name))).toList();
        members.forEach(Thread::start);
        System.in.read();
        leaving = true;
        for (Thread member : members)
            member.join();
    }

    private static void say(String line) {
        synchronized (System.out) {
            System.out.println(line);
        }
    }

    private static Map<String, Object> settings(String servers, String group, String strategy, String name) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", servers);
        settings.put("group.id", group);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", false);
        settings.put("fetch.max.wait.ms", 200);
        settings.put("reconnect.backoff.max.ms", 500);
        settings.put("key.deserializer", ByteArrayDeserializer.class);
        settings.put("value.deserializer", ByteArrayDeserializer.class);
        if (strategy.equals("consumer")) {
            settings.put("group.protocol", "consumer");
        } else {
            settings.put("partition.assignment.strategy", ASSIGNORS.get(strategy).getName());
            settings.put("session.timeout.ms", 3000);
            settings.put("heartbeat.interval.ms", 500);
        }
        settings.put("max.poll.interval.ms", 10000);
        if (name.startsWith("static-"))
            settings.put("group.instance.id", name);
        return settings;
    }

    private static void member(Map<String, Object> settings, String topic, String name) {
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings)) {
            Set<Integer> held = null;
            say(name + " joins");
            consumer.subscribe(List.of(topic));
            while (!leaving) {
                turn(consumer, name);
                Set<Integer> now = consumer.assignment().stream().map(TopicPartition::partition)
                    .collect(Collectors.toCollection(TreeSet::new));
                if (!now.equals(held))
                    say(name + " assigned " + now.stream().map(String::valueOf).collect(Collectors.joining(",")));
                held = now;
            }
        }
    }

    private static void turn(KafkaConsumer<byte[], byte[]> consumer, String name) {
        ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
        for (ConsumerRecord<byte[], byte[]> record : records)
            say(name + " record " + record.partition() + " " + record.offset());
        try {
            if (!records.isEmpty())
                consumer.commitSync(Duration.ofSeconds(2));
        } catch (KafkaException e) {
            // what cannot be committed is read again
        }
    }
}
