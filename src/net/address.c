/* Addresses of peers, and how many connections each has.
 *
 * Owner: struct net, core thread.
 *
 * Invariant:  an entry of by_ip has at least one connection.
 */
#include "net_impl.h"

#include <arpa/inet.h>

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct ip ip_of(const struct sockaddr_storage *sa)
{
    struct ip ip = {0};

    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

        memcpy(ip.bytes, v4_mapped, sizeof(v4_mapped));
        memcpy(ip.bytes + 12, &in->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

        ASSERT(sa->ss_family == AF_INET6);
        memcpy(ip.bytes, &in6->sin6_addr, 16);
    }
    return ip;
}

int port_of(const struct sockaddr_storage *sa)
{
    if (sa->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)sa)->sin_port);
    ASSERT(sa->ss_family == AF_INET6);
    return ntohs(((const struct sockaddr_in6 *)sa)->sin6_port);
}

static bool is_v4(const struct ip *ip)
{
    return memcmp(ip->bytes, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool ip_is_loopback(const struct ip *ip)
{
    static const struct ip v6 = {{[15] = 1}};

    if (is_v4(ip))
        return ip->bytes[12] == 127;
    return memcmp(ip, &v6, sizeof(v6)) == 0;
}

void ip_text(const struct ip *ip, char *out, size_t n)
{
    bool v4 = is_v4(ip);

    ASSERT(n >= INET6_ADDRSTRLEN);
    ASSERT(inet_ntop(v4 ? AF_INET : AF_INET6, ip->bytes + (v4 ? 12 : 0), out, (socklen_t)n));
}

uint32_t ip_count_add(struct net *n, const struct ip *ip)
{
    struct ip_count *e;

    HASH_FIND(hh, n->by_ip, ip, sizeof(*ip), e);
    if (!e) {
        e = xcalloc(1, sizeof(*e));
        e->ip = *ip;
        HASH_ADD(hh, n->by_ip, ip, sizeof(*ip), e);
    }
    return ++e->n_conns;
}

void ip_count_remove(struct net *n, const struct ip *ip)
{
    struct ip_count *e;

    HASH_FIND(hh, n->by_ip, ip, sizeof(*ip), e);
    ASSERT(e);
    ASSERT(e->n_conns > 0);
    if (--e->n_conns > 0)
        return;
    HASH_DEL(n->by_ip, e);
    free(e);
}
