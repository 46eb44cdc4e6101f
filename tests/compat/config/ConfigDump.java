import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigDef.ConfigKey;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

/**
 * Prints what Apache Kafka's own tables say of every setting, a line each, its fields parted by tabs:
 * table, name, type, default, what is valid, whether an empty list is, how it may change while running, synonyms.
 */
public class ConfigDump {
    private static final String NULL = "<null>";
    private static final String REQUIRED = "<required>";

    public static void main(String[] args) {
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        dump("broker", kafka.server.KafkaConfig.configDef(), modes);
        dump("topic", LogConfig.configDefCopy(), Map.of());
        dump("group", GroupConfig.CONFIG_DEF, Map.of());
    }

    private static void dump(String table, ConfigDef def, Map<String, String> modes) {
        for (ConfigKey key : new TreeMap<>(def.configKeys()).values()) {
            String valid = key.validator == null ? "" : key.validator.toString();
            System.out.println(String.join("\t", table, key.name, key.type.name(), defaultOf(key), valid,
                takesEmptyList(key), modes.getOrDefault(key.name, "read-only"),
                String.join(",", synonyms(table, key.name))).replace("\n", " "));
        }
    }

    private static String defaultOf(ConfigKey key) {
        if (!key.hasDefault())
            return REQUIRED;
        if (key.defaultValue == null)
            return NULL;
        return ConfigDef.convertToString(key.defaultValue, key.type);
    }

    private static String takesEmptyList(ConfigKey key) {
        if (key.type != ConfigDef.Type.LIST || key.validator == null)
            return "";
        try {
            key.validator.ensureValid(key.name, List.of());
            return "empty";
        } catch (RuntimeException e) {
            return "full";
        }
    }

    private static List<String> synonyms(String table, String name) {
        List<String> names = new ArrayList<>();
        if (table.equals("topic"))
            for (ConfigSynonym s : ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.getOrDefault(name, List.of()))
                names.add(s.name());
        if (table.equals("broker"))
            names.addAll(DynamicBrokerConfig.brokerConfigSynonyms(name, false));
        return names;
    }
}
