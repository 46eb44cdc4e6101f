/*
 * Makes tests/golden/assignor/topic_hash.txt: the hashes of topics and of groups' metadata as Apache Kafka computes them.
 *
 * Usage: java -cp 'KAFKA_LIBS/*' GoldenTopicHash.java > tests/golden/assignor/topic_hash.txt
 *
 * Lines: "topic ID NAME PARTITIONS RACK HASH", RACK "-" where there is none; "group HASH": over all topics above it.
 */
import java.util.HashMap;
import java.util.List;
import java.util.ArrayList;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.lang.reflect.Proxy;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.group.Utils;

public class GoldenTopicHash {
    /* An image with this one topic, whose partitions all have one replica, in this rack. */
    static CoordinatorMetadataImage image(Uuid id, String name, int partitions, String rack) {
        Object topic = Proxy.newProxyInstance(GoldenTopicHash.class.getClassLoader(),
            new Class<?>[] {CoordinatorMetadataImage.TopicMetadata.class}, (proxy, method, args) ->
                switch (method.getName()) {
                    case "id" -> id;
                    case "name" -> name;
                    case "partitionCount" -> partitions;
                    case "partitionRacks" -> new ArrayList<>(rack == null ? List.of() : List.of(rack));
                    default -> throw new IllegalStateException(method.getName());
                });
        return (CoordinatorMetadataImage) Proxy.newProxyInstance(GoldenTopicHash.class.getClassLoader(),
            new Class<?>[] {CoordinatorMetadataImage.class}, (proxy, method, args) -> {
                if (!method.getName().equals("topicMetadata"))
                    throw new IllegalStateException(method.getName());
                return Optional.of(topic);
            });
    }

    public static void main(String[] args) {
        System.setOut(new java.io.PrintStream(System.out, false, java.nio.charset.StandardCharsets.UTF_8));
        Random random = new Random(1);
        Map<String, Long> hashes = new HashMap<>();
        System.out.println("group " + Utils.computeGroupHash(hashes));
        String[] names = {"foo", "a", "B", "orders-eu", "__consumer_offsets", "x".repeat(249), "foo.bar", "_"};
        int[] partitions = {1, 0, 3, 30, 50, 7, 1000, 12};
        for (int i = 0; i < 2 * names.length; i++) {
            String name = i < names.length ? names[i] : names[i - names.length] + "2";
            if (name.length() > 249)
                name = name.substring(1);
            String rack = i % 3 == 1 ? (i % 2 == 0 ? "rack-" : "räck-😀-") + i : null;
            Uuid id = new Uuid(random.nextLong(), random.nextLong());
            int n = partitions[i % names.length];
            long hash = Utils.computeTopicHash(name, image(id, name, n, rack));
            hashes.put(name, hash);
            System.out.printf("topic %s %s %d %s %d%n", id, name, n, rack == null ? "-" : rack, hash);
            System.out.println("group " + Utils.computeGroupHash(hashes));
            System.out.flush();
        }
    }
}
