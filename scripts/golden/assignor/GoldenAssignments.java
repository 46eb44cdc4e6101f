/*
 * Makes tests/golden/assignor/cases.txt: what Apache Kafka's own assignors of consumer groups answer.
 *
 * Usage: java -cp 'KAFKA_LIBS/*' GoldenAssignments.java FIRST_SEED LAST_SEED > cases.txt
 *
 * Each seed is the life of one group: members join, leave and change their subscriptions, topics come, go and
 * grow; the target assignment of one step is the present one of the next. One step is one case:
 *
 *   case SEED.STEP ASSIGNOR homogeneous|heterogeneous
 *   t TOPIC_ID PARTITIONS                                  in the order in which Kafka walks through them
 *   m MEMBER_ID INSTANCE_ID TOPICS PRESENT TARGET          in the order in which Kafka walks through them
 *
 * "-" is nothing. TOPICS are indices of t lines: 0,2-4. PRESENT and TARGET are TOPIC:PARTITIONS;TOPIC:PARTITIONS.
 * Hash maps of Kafka whose order matters are given here in the order of these lines.
 */
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

public class GoldenAssignments {
    static class Member {
        String id;
        Optional<String> instance = Optional.empty();
        Set<Uuid> topics = new HashSet<>();
        Map<Uuid, Set<Integer>> present = Map.of();
    }

    final Random random;
    final int seed;
    final ConsumerGroupPartitionAssignor assignor;
    final boolean oneSubscription;
    final boolean unknownTopics; /* names without a topic make a group heterogeneous */
    final int sizeMax;
    final List<Member> members = new ArrayList<>();
    final Map<Uuid, Integer> topics = new LinkedHashMap<>();

    public static void main(String[] args) {
        for (int seed = Integer.parseInt(args[0]); seed <= Integer.parseInt(args[1]); seed++)
            new GoldenAssignments(seed).live();
    }

    GoldenAssignments(int seed) {
        this.seed = seed;
        random = new Random(seed);
        assignor = seed % 4 == 0 ? new RangeAssignor() : new UniformAssignor();
        oneSubscription = seed % 3 == 0;
        unknownTopics = seed % 6 == 3 && seed % 5 == 0;
        sizeMax = seed % 10 == 9 ? 40 : 8;
    }

    void live() {
        for (int i = random.nextInt(4) + 1; i > 0; i--)
            addTopic();
        for (int i = random.nextInt(sizeMax) + 1; i > 0; i--)
            addMember();
        for (int step = 0; step < 6; step++) {
            assign(step);
            for (int i = random.nextInt(3); i >= 0; i--)
                change();
        }
    }

    // ---- what happens to a group --------------------------------------------------------------------------

    Uuid uuid() {
        return new Uuid(random.nextLong(), random.nextLong());
    }

    void addTopic() {
        int n = random.nextInt(10) == 0 ? 0 : random.nextInt(random.nextInt(5) == 0 ? 60 : 9) + 1;
        Uuid id = uuid();
        topics.put(id, n);
        for (Member m : members)
            if (oneSubscription || random.nextBoolean())
                m.topics.add(id);
    }

    void addMember() {
        Member m = new Member();
        m.id = Long.toString(random.nextLong() >>> 20, 36);
        if (random.nextInt(3) == 0)
            m.instance = Optional.of("i" + random.nextInt(1000));
        subscribe(m);
        members.add(random.nextInt(members.size() + 1), m);
    }

    void subscribe(Member m) {
        m.topics.clear();
        int often = random.nextInt(4) + 1;
        for (Uuid id : topics.keySet())
            if (oneSubscription || random.nextInt(4) < often)
                m.topics.add(id);
    }

    <T> T any(Collection<T> from) {
        return new ArrayList<>(from).get(random.nextInt(from.size()));
    }

    void change() {
        switch (random.nextInt(8)) {
            case 0, 1 -> addMember();
            case 2, 3 -> {
                if (members.size() > 1)
                    members.remove(any(members));
            }
            case 4 -> subscribe(any(members));
            case 5 -> addTopic();
            case 6 -> {
                if (!topics.isEmpty())
                    topics.computeIfPresent(any(topics.keySet()), (id, n) -> n + random.nextInt(5));
            }
            case 7 -> {
                if (topics.size() > 1)
                    deleteTopic(any(topics.keySet()));
            }
        }
    }

    void deleteTopic(Uuid id) {
        topics.remove(id);
        for (Member m : members) {
            m.topics.remove(id);
            Map<Uuid, Set<Integer>> present = new LinkedHashMap<>(m.present);
            present.remove(id);
            m.present = present;
        }
    }

    // ---- one assignment -----------------------------------------------------------------------------------

    /* The order in which the builders of Kafka find the topics of a set: that of a hash set made of it. */
    List<Uuid> topicsInOrder() {
        Set<Uuid> all = new HashSet<>();
        for (Member m : members) {
            all.addAll(m.topics);
            all.addAll(m.present.keySet());
        }
        return new ArrayList<>(new HashSet<>(new ArrayList<>(new HashSet<>(new ArrayList<>(all)))));
    }

    void assign(int step) {
        List<Uuid> order = topicsInOrder();
        boolean homogeneous = !unknownTopics && members.stream().allMatch(m -> m.topics.equals(members.get(0).topics));
        if (homogeneous && order.size() > members.get(0).topics.size()) /* only the order of the subscribed counts */
            order = subscribedFirst(order);
        Map<String, MemberSubscriptionAndAssignmentImpl> specs = new LinkedHashMap<>();
        Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
        for (Member m : members) {
            Map<Uuid, Set<Integer>> present = new LinkedHashMap<>();
            Set<Uuid> subscribed = new LinkedHashSet<>();
            for (Uuid id : order) {
                if (m.topics.contains(id))
                    subscribed.add(id);
                if (m.present.containsKey(id))
                    present.put(id, new TreeSet<>(m.present.get(id)));
            }
            present.forEach((id, partitions) -> partitions.forEach(
                p -> inverted.computeIfAbsent(id, any -> new HashMap<>()).put(p, m.id)));
            specs.put(m.id, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), m.instance, subscribed,
                new Assignment(Collections.unmodifiableMap(present))));
        }
        Map<String, MemberAssignment> result = assignor.assign(
            new GroupSpecImpl(specs, homogeneous ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS,
                inverted),
            new SubscribedTopicDescriber() {
                public int numPartitions(Uuid id) {
                    return topics.getOrDefault(id, -1);
                }

                public Set<String> racksForPartition(Uuid id, int partition) {
                    return Set.of();
                }
            }).members();
        print(step, homogeneous, order, result);
        for (Member m : members)
            m.present = result.containsKey(m.id) ? result.get(m.id).partitions() : Map.of();
    }

    List<Uuid> subscribedFirst(List<Uuid> order) {
        Set<Uuid> result = new LinkedHashSet<>(new HashSet<>(new ArrayList<>(new HashSet<>(members.get(0).topics))));
        result.addAll(order);
        return new ArrayList<>(result);
    }

    // ---- the text -----------------------------------------------------------------------------------------

    void print(int step, boolean homogeneous, List<Uuid> order, Map<String, MemberAssignment> result) {
        System.out.printf("case %d.%d %s %s%n", seed, step, assignor.name(),
            homogeneous ? "homogeneous" : "heterogeneous");
        for (Uuid id : order)
            System.out.printf("t %s %d%n", id, topics.get(id));
        for (Member m : members) {
            Set<Integer> subscribed = new TreeSet<>();
            m.topics.forEach(id -> subscribed.add(order.indexOf(id)));
            System.out.printf("m %s %s %s %s %s%n", m.id, m.instance.orElse("-"), numbers(subscribed),
                partitions(order, m.present),
                partitions(order, result.containsKey(m.id) ? result.get(m.id).partitions() : Map.of()));
        }
    }

    static String partitions(List<Uuid> order, Map<Uuid, Set<Integer>> of) {
        Map<Integer, Set<Integer>> byIndex = new TreeMap<>();
        of.forEach((id, set) -> {
            if (!set.isEmpty())
                byIndex.put(order.indexOf(id), set);
        });
        StringJoiner text = new StringJoiner(";").setEmptyValue("-");
        byIndex.forEach((index, set) -> text.add(index + ":" + numbers(new TreeSet<>(set))));
        return text.toString();
    }

    static String numbers(Set<Integer> sorted) {
        StringJoiner text = new StringJoiner(",").setEmptyValue("-");
        List<Integer> list = new ArrayList<>(sorted);
        for (int i = 0, end; i < list.size(); i = end) {
            for (end = i + 1; end < list.size() && list.get(end) == list.get(end - 1) + 1; end++)
                continue;
            text.add(end == i + 1 ? list.get(i).toString() : list.get(i) + "-" + list.get(end - 1));
        }
        return text.toString();
    }
}
