/* Time, sockets, checksums, percentiles. Any failure ends the program: a bench that limps measures
 * nothing. */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <isa-l/crc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Noreturn void die(const char *format, ...)
{
    int error = errno;
    va_list args;

    fputs("bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (%s)\n", strerror(error));
    exit(1);
}

void *allocate(size_t n)
{
    void *memory = calloc(1, n);

    if (!memory)
        die("out of memory");
    return memory;
}

void *resize(void *memory, size_t n)
{
    memory = realloc(memory, n);
    if (!memory)
        die("out of memory");
    return memory;
}

int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

double seconds_since(int64_t start_ns)
{
    return (double)(now_ns() - start_ns) / 1e9;
}

double cpu_seconds(const struct rusage *used)
{
    return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) +
           (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec) / 1e6;
}

uint32_t crc32c(const uint8_t *data, size_t n)
{
    return ~crc32_iscsi((unsigned char *)data, (int)n, ~0u);
}

void no_delay(int fd)
{
    int one = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
        die("TCP_NODELAY");
}

int try_connect(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *colon = strrchr(address, ':');
    char host[64];
    int fd;

    if (!colon || (size_t)(colon - address) >= sizeof(host))
        die("%s is not host:port", address);
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    to.sin_port = htons((uint16_t)number(colon + 1));
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        die("%s is no IPv4 address", host);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        close(fd);
        return -1;
    }
    no_delay(fd);
    return fd;
}

int connect_to(const char *address)
{
    int fd = try_connect(address);

    if (fd < 0)
        die("connect to %s", address);
    return fd;
}

void send_all(int fd, const void *data, size_t n)
{
    const char *at = data;

    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

        if (sent <= 0)
            die("send");
        at += sent;
        n -= (size_t)sent;
    }
}

bool try_receive_all(int fd, void *data, size_t n)
{
    char *at = data;

    while (n > 0) {
        ssize_t got = recv(fd, at, n, 0);

        if (got <= 0)
            return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

void receive_all(int fd, void *data, size_t n)
{
    if (!try_receive_all(fd, data, n))
        die("the connection ended");
}

uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

uint64_t get64(const uint8_t *p)
{
    return (uint64_t)get32(p) << 32 | get32(p + 4);
}

void put32(uint8_t *p, uint32_t value)
{
    value = htonl(value);
    memcpy(p, &value, 4);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void sort_doubles(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare_doubles);
}

double percentile(const double *sorted, size_t n, double share)
{
    size_t i = (size_t)((double)n * share);

    return sorted[i < n ? i : n - 1];
}

uint64_t number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (end == text || *end)
        die("%s is not a number", text);
    return value;
}
