/* What the load generator and the bare programs share: time, sockets, checksums, percentiles, and
 * dying. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

/* Prints what failed, with errno, and ends the program. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *allocate(size_t n);             /* zeroed; never NULL */
void *resize(void *memory, size_t n); /* never NULL */

int64_t now_ns(void); /* CLOCK_MONOTONIC */
double seconds_since(int64_t start_ns);
double cpu_seconds(const struct rusage *used);

uint32_t crc32c(const uint8_t *data, size_t n);

/* Sockets with TCP_NODELAY. connect_to: "host:port", numeric IPv4. */
int connect_to(const char *address);
int try_connect(const char *address); /* -1 when nobody listens */
void no_delay(int fd);
void send_all(int fd, const void *data, size_t n);
void receive_all(int fd, void *data, size_t n);
bool try_receive_all(int fd, void *data, size_t n); /* false at the end of the connection */

uint16_t get16(const uint8_t *p);
uint32_t get32(const uint8_t *p);
uint64_t get64(const uint8_t *p);
void put32(uint8_t *p, uint32_t value);

/* Sorts, once; then the value below which `share` (0 to 1) of them lie. */
void sort_doubles(double *values, size_t n);
double percentile(const double *sorted, size_t n, double share);

uint64_t number(const char *text); /* dies when it is none */

#endif
