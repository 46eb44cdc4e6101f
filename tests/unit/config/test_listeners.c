/* listeners, advertised.listeners and listener.security.protocol.map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_support.h"

static struct config c;
static struct errmsg msg;

/* The message of a text that must not load. */
static void refused(const char *text, const char *part)
{
    msg.text[0] = 0;
    assert_int_equal(config_from_text(&c, text, false, &msg), E_INVALID);
    if (strstr(msg.text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, msg.text);
    config_release(&c);
}

static void listener_is(int i, const char *name, const char *host, int port,
                        enum security_protocol protocol)
{
    assert_true(i < c.n_parsed_listeners);
    assert_string_equal(c.parsed_listeners[i].name, name);
    assert_string_equal(c.parsed_listeners[i].host, host);
    assert_int_equal(c.parsed_listeners[i].port, port);
    assert_int_equal(c.parsed_listeners[i].protocol, protocol);
}

static void advertised_is(int i, const char *host, int port)
{
    if (host == NULL)
        assert_null(c.parsed_listeners[i].advertised_host);
    else
        assert_string_equal(c.parsed_listeners[i].advertised_host, host);
    assert_int_equal(c.parsed_listeners[i].advertised_port, port);
}

/* Without a file this machine alone is served. */
static void default_is_localhost(void **state)
{
    config_must_load(&c, "");
    assert_int_equal(c.n_parsed_listeners, 1);
    listener_is(0, "PLAINTEXT", "localhost", 9092, SECURITY_PLAINTEXT);
    advertised_is(0, "localhost", -1);
    config_release(&c);
}

/* Several listeners, small letters, no host, port 0, and names of one's own. */
static void several_listeners(void **state)
{
    config_must_load(&c, "listeners=plaintext://:9092, Inside://10.0.0.1:0,OUT://h.example:9094\n"
                         "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,inside:ssl,"
                         "OUT:SASL_SSL,UNUSED:SASL_PLAINTEXT\n");
    assert_int_equal(c.n_parsed_listeners, 3);
    listener_is(0, "PLAINTEXT", "", 9092, SECURITY_PLAINTEXT);
    advertised_is(0, NULL, -1);
    listener_is(1, "INSIDE", "10.0.0.1", 0, SECURITY_SSL);
    advertised_is(1, "10.0.0.1", -1);
    listener_is(2, "OUT", "h.example", 9094, SECURITY_SASL_SSL);
    config_release(&c);
}

/* An address of every interface is told to nobody. */
static void every_address_is_not_advertised(void **state)
{
    config_must_load(&c, "listeners=PLAINTEXT://0.0.0.0:9092,SSL://[::]:9093");
    advertised_is(0, NULL, -1);
    listener_is(1, "SSL", "::", 9093, SECURITY_SSL);
    advertised_is(1, NULL, -1);
    config_release(&c);
}

/* IPv6 in brackets, and the one case in which two listeners share a port (KIP-797). */
static void ipv6(void **state)
{
    config_must_load(&c, "listeners=PLAINTEXT://[::1]:9092,SSL://127.0.0.1:9092");
    listener_is(0, "PLAINTEXT", "::1", 9092, SECURITY_PLAINTEXT);
    advertised_is(0, "::1", -1);
    listener_is(1, "SSL", "127.0.0.1", 9092, SECURITY_SSL);
    config_release(&c);
    refused("listeners=PLAINTEXT://[::1]:9092,SSL://localhost:9092", "different port");
    refused("listeners=PLAINTEXT://[::1:9092", "unable to parse PLAINTEXT://[::1:9092");
}

/* Names differ in more than case; ports differ unless they are 0. */
static void names_and_ports_differ(void **state)
{
    refused("listeners=PLAINTEXT://:1,plaintext://:2", "Each listener must have a different name");
    refused("listeners=PLAINTEXT://:1,SSL://:1", "Each listener must have a different port");
    config_must_load(&c, "listeners=PLAINTEXT://:0,SSL://:0");
    config_release(&c);
}

/* What is no NAME://host:port is refused with the text that is wrong. */
static void other_texts_are_refused(void **state)
{
    refused("listeners=localhost:9092", "unable to parse localhost:9092 to a broker endpoint");
    refused("listeners=://localhost:9092", "valid is NAME://host:port");
    refused("listeners=PLAINTEXT://localhost", "unable to parse");
    refused("listeners=PLAINTEXT://loc alhost:1", "unable to parse");
    refused("listeners=PLAINTEXT://a:", "the port ; valid is a number from 0 to 65535");
    refused("listeners=PLAINTEXT://a:65536", "the port 65536");
    refused("listeners=PLAINTEXT://a:-1", "the port -1");
    refused("listeners=PLAINTEXT://a:9x", "the port 9x");
    refused("listeners=PLAINTEXT://a:1,", "must not be empty");
    config_must_load(&c, "listeners=PLAINTEXT://a:65535");
    config_release(&c);
}

/* Every name has a protocol, and the map holds nothing else. */
static void protocol_map(void **state)
{
    refused("listeners=MINE://:1", "No security protocol defined for listener MINE");
    refused("listener.security.protocol.map=PLAINTEXT:PLAIN", "PLAINTEXT:PLAIN is not valid");
    refused("listener.security.protocol.map=PLAINTEXT", "valid is NAME:PROTOCOL");
    refused("listener.security.protocol.map=A:SSL:B", "A:SSL:B is not valid");
}

/* Advertised addresses join their listener by name; 0.0.0.0 would lead clients nowhere. */
static void advertised(void **state)
{
    config_must_load(&c, "listeners=PLAINTEXT://:9092,SSL://:9093\n"
                         "advertised.listeners=plaintext://kafka.example:19092\n");
    advertised_is(0, "kafka.example", 19092);
    advertised_is(1, NULL, -1);
    config_release(&c);
    refused("advertised.listeners=SSL://a:1",
            "must be equal to or a subset of the ones defined in listeners; SSL");
    refused("advertised.listeners=PLAINTEXT://0.0.0.0:9092",
            "cannot use the nonroutable meta-address 0.0.0.0");
    refused("advertised.listeners=PLAINTEXT://a:1,PLAINTEXT://b:1", "different name");
    refused("advertised.listeners=PLAINTEXT:a", "advertised.listeners: unable to parse");
}

/* A controller's listener is not opened, and needs no protocol. */
static void controllers_are_left_out(void **state)
{
    config_must_load(&c, "process.roles=broker,controller\n"
                         "controller.listener.names=CONTROLLER\n"
                         "listeners=CONTROLLER://:9093,PLAINTEXT://:9092\n"
                         "advertised.listeners=PLAINTEXT://a:9092,CONTROLLER://a:9093\n");
    assert_int_equal(c.n_parsed_listeners, 1);
    listener_is(0, "PLAINTEXT", "", 9092, SECURITY_PLAINTEXT);
    advertised_is(0, "a", 9092);
    config_release(&c);
    refused("controller.listener.names=PLAINTEXT", "at least one listener that is not in");
    refused("process.roles=broker\ncontroller.listener.names=X,SSL\n"
            "listeners=PLAINTEXT://:1,SSL://:2\n",
            "controller.listener.names must not contain");
}

/* The 64th listener is taken, the 65th is not. */
static void there_is_a_limit(void **state)
{
    struct buf text;

    buf_init(&text);
    buf_put_str(&text, "listener.security.protocol.map=L0:SSL");
    for (int i = 1; i < 65; i++)
        buf_printf(&text, ",L%d:SSL", i);
    buf_put_str(&text, "\nlisteners=L0://:0");
    for (int i = 1; i < 64; i++)
        buf_printf(&text, ",L%d://:0", i);
    config_must_load(&c, buf_cstr(&text));
    assert_int_equal(c.n_parsed_listeners, 64);
    config_release(&c);
    buf_put_str(&text, ",L64://:0");
    refused(buf_cstr(&text), "listeners: more than 64");
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_is_localhost),
        cmocka_unit_test(several_listeners),
        cmocka_unit_test(every_address_is_not_advertised),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(names_and_ports_differ),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(protocol_map),
        cmocka_unit_test(advertised),
        cmocka_unit_test(controllers_are_left_out),
        cmocka_unit_test(there_is_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
