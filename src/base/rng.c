/* Random numbers from a seed: xoshiro256** (Blackman, Vigna), filled by splitmix64.
 *
 * Owner: whoever holds the struct; one thread. The same seed gives the same run. Not for secrets.
 */
#include "base.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

void rng_init(struct rng *r, uint64_t seed)
{
    for (size_t i = 0; i < ARRAY_SIZE(r->s); i++)
        r->s[i] = splitmix64(&seed);
}

static uint64_t rotate(uint64_t v, int bits)
{
    return v << bits | v >> (64 - bits);
}

uint64_t rng_next(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

/* The high half of next * n is below n; low halves under 2^64 mod n would make some results
 * likelier and are drawn again (Lemire). */
uint64_t rng_below(struct rng *r, uint64_t n)
{
    uint64_t least;

    ASSERT(n > 0);
    least = (0 - n) % n;
    for (;;) {
        unsigned __int128 product = (unsigned __int128)rng_next(r) * n;

        if ((uint64_t)product >= least)
            return (uint64_t)(product >> 64);
    }
}

/* Kafka's Uuid.randomUuid: version 4, so it is none of the reserved ones (0, 0) .. (0, 99), and no
 * '-' at the front, which command lines would take for an option. */
struct uuid rng_uuid(struct rng *r)
{
    struct uuid u;
    char text[UUID_TEXT_BYTES + 1];

    do {
        put_be64(u.b, rng_next(r));
        put_be64(u.b + 8, rng_next(r));
        u.b[6] = (u.b[6] & 0x0F) | 0x40;
        u.b[8] = (u.b[8] & 0x3F) | 0x80;
        uuid_text(u, text);
    } while (text[0] == '-');
    ASSERT(!uuid_is_zero(u));
    return u;
}
