/*
 * Makes tests/golden/regex/re2j.txt: what RE2/J, the engine of Apache Kafka's coordinator, says of patterns.
 *
 * Usage: java -cp 're2j-VERSION.jar' GoldenRegex.java > tests/golden/regex/re2j.txt
 *
 * Lines: "name TEXT", the texts to match, numbered from 0; "ok PATTERN" and the numbers of the texts that it matches
 * as a whole; "bad PATTERN" and RE2/J's description. Parts are separated by tabs; ∅ is the empty text.
 */
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.StringJoiner;

public class GoldenRegex {
    static final String[] NAMES = {
        "", "a", "aa", "ab", "abc", "foo", "foo.bar", "foo-bar", "foobar", "FOO", "Foo-1", "foo_1", "orders",
        "orders-eu", "orders-us-2024", "__consumer_offsets", "a.b.c", "1", "12345", "a1b2", "aaaaaaaaaaaaaaaaaaaaaaaaaaaab",
        "x".repeat(249), "über", "日本", "a\u00a0b", "new\\line", "-", "_", ".", "..", "ba", "bab", "abab", "ababab", "aab", "😀",
    };

    static final String[] PATTERNS = {
        "", "a", ".", ".*", ".+", "foo.*", "^foo.*", "foo.*$", "^foo$", "foo\\..*", "foo\\.bar", "[a-z]+", "[^a-z]+", "[A-Za-z0-9._-]+",
        "(?i)foo", "(?i)FOO.*", "foo|bar", "a|ab", "ab|a", "(a|ab)(c|bcd)?", "a?", "a*", "a+", "a??", "a*?", "a+?", "(a*)*", "(a*)+", "(a|aa)+b",
        "(a+)+b", "(a+)+c", "([a-zA-Z]+)*", "(x+x+)+y", "a{2}", "a{2,}", "a{1,2}", "a{,2}", "a{0}", "a{2,1}", "a{1000}", "a{1001}",
        "(a{100}){10}", "(a{100}){11}", "((a{100}){100}){100}", "(((a{30}){30}){30}){30}", "x{249}", "x{248}", "x*y?", "\\d+", "\\D+", "\\w+", "\\W+", "\\s", "\\S+", "\\bfoo\\b", "\\bfoo\\b.*",
        "\\Bfoo", "\\Afoo\\z", "\\Afoo\\Z", "\\Qfoo.bar\\E", "\\Qa.b.c", "\\Q\\E", "\\.\\.", "\\x41", "\\x61", "\\x{61}", "\\x{110000}", "\\0", "\\1", "(a)\\1", "\\07", "\\101", "\\141", "\\a", "\\f", "\\t", "\\n", "\\r", "\\v",
        "\\C", "\\C+", "a\\Cb", "\\Q\\C\\E", "\\\\C", "[\\C]", "\\X", "\\R", "\\h", "\\e", "\\cA", "\\u0061", "\\y", "\\_", "\\-", "\\é", "\\p{L}+", "\\pL+", "\\PL+", "\\p{^L}+", "\\p{Greek}", "\\p{Lu}+", "\\p{Foo}", "\\p{", "\\p", "\\P{Lu}+", "\\pN+", "\\p{Han}+", "\\p{Any}+", "\\p{IsL}",
        "[[:alpha:]]+", "[[:alnum:]]+", "[[:word:]]+", "[[:foo:]]", "[[:^alpha:]]+", "[:alpha:]+", "[\\d]+", "[\\D]+", "[\\w.]+", "[^\\d]+", "[\\pL]+", "[a-\\d]", "[z-a]", "[a", "[]a]", "[]", "[^]a]", "[^]", "[a-]", "[-a]+", "[a-b-c]", "[\\]]", "[\\Q]\\E]", "[a&&b]", "[a-z&&[^b]]",
        "(", ")", "()", "(a", "a)", "(a))", "((a)", "(?:a)", "(?:a|b)+", "(?P<n>a)", "(?<n>a)", "(?P<n>a)(?P<n>b)", "(?P<n", "(?P<>a)", "(?P<1a>a)", "(?P<n-m>a)", "(?P=n)", "(?P>n)", "(?#c)a", "(?'n'a)",
        "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", "(?i:a)b", "(?i)(?-i)A", "(?s).", "(?m)^a$", "(?U)a+", "(?x)a b", "(?u)a", "(?z)a", "(?i", "(?", "(?)", "(?-)", "(?i-)a", "(?--i)a", "(?i)über", "(?i)ÜBER", "(?i)k", "\u212a",
        "*", "+", "?", "*a", "a**", "a++", "a+*", "a?+", "a*+", "a{2}{3}", "a{2}*", "a*{2}", "a{2}?", "a{1,2}?", "^*", "^+", "$*", "\\b*", "(?:)*", "|", "||", "a|", "|a", "(|a)", "(a|)", "a||b", "{", "}", "a{", "a{b}", "{1}", "a{-1}", "a{1,b}", "a{1", "a{99999999999}", "a{1,1001}", "a{,1}", "a{ 1}",
        "\\", "a\\", "foo\\", "\\E", "\\Efoo", "a\\Eb", "\\z", "\\Z", "\\A", "\\G", "^", "$", "^$", "^^", "$$", "a^b", "a$b", "(^a)", "(a$)", "(?:^a|b)", "über", "[ü]ber", "....", "日.", "..", "a.b", "😀", "[😀]", ".{2}", "\\x{1F600}", "[^a]", "\\x{1f600}?",
        "[(?<n>]", "[^(?<]+", "\\Q(?<n>\\E", "\\Q(?<n>", "[[:alpha:](?<]+", "[](?<]+", "[^](?<]+", "(?<n>a)[(?<]?(?<m>b)", "(?<>a)", "(?<n", "\\(?<n>", "[\\](?<]+", "[é\\é]ber", "\\übe\\r", "\\üb?er", "[[:al(?<", "[(?<", "[[a]", "[[:]]", "[[:alpha]]", "\\Qa\\Eb", "\\Q\\\\E", "[a\\Q]", "foo bar", " foo", "foo ", "#foo", "foo#", "foo,bar", "orders-(eu|us)(-\\d{4})?", "__.*", "[^_].*", "(?i)[A-Z]+", "(?i)[^a-z]+", "[[:upper:]]+", "(?i)[[:upper:]]+", "\\Qfoo\\E.*", "((((((((((a))))))))))",
        "(?:(?:(?:(?:a*)*)*)*)*b", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)z", "(ab)*", "(ab|a)*b?", "(a|b)*ab", "(?:a|b)*?", ".*.*.*.*.*=.*", "(a?){30}a{30}", "(?i)s", "ſ", "[a-c]{1,3}", "(?P<name>foo).*(?P<rest>r)", "\\p{Latin}+", "\\p{Cyrillic}*", "[\\p{L}\\d]+", "[\\P{L}]+", "[^\\pL]+", "\\w{3}", "\\d{1,5}", "(?s:.)+", "(?is)F.O",
    };

    static String shown(String text) {
        return text.isEmpty() ? "∅" : text;
    }

    public static void main(String[] args) {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String name : NAMES)
            out.printf("name\t%s%n", shown(name));
        for (String pattern : PATTERNS) {
            Pattern compiled;
            try {
                compiled = Pattern.compile(pattern);
            } catch (PatternSyntaxException e) {
                out.printf("bad\t%s\t%s%n", shown(pattern), e.getDescription());
                continue;
            }
            StringJoiner matched = new StringJoiner(" ");
            for (int i = 0; i < NAMES.length; i++)
                if (compiled.matcher(NAMES[i]).matches())
                    matched.add(Integer.toString(i));
            out.printf("ok\t%s\t%s%n", shown(pattern), matched);
        }
        out.flush();
    }
}
