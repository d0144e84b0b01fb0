/* A wall clock that goes faster for one program, so that a benchmark sees minutes pass in seconds:
 *
 *     cc -O2 -shared -fPIC -o fast_clock.so fast_clock.c
 *     LD_PRELOAD=$PWD/fast_clock.so FAST_CLOCK=60 redis-server ...
 *
 * It allocates nothing, so it may be called while an allocator starts.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND_NS = 1000000000;
static int64_t speed;
static int64_t start_ns;

static int64_t real_ns(clockid_t clock)
{
    struct timespec now = {0, 0};
    syscall(SYS_clock_gettime, clock, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

__attribute__((constructor)) static void begin(void)
{
    const char *wanted = getenv("FAST_CLOCK");
    start_ns = real_ns(CLOCK_REALTIME);
    speed = wanted ? atoll(wanted) : 1;
}

/* Before `begin` has run, the speed is 0, and time does not go faster yet. */
static int64_t wall_ns(void)
{
    int64_t now = real_ns(CLOCK_REALTIME);
    return speed > 1 ? start_ns + (now - start_ns) * speed : now;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    int64_t now = is_wall ? wall_ns() : real_ns(clock);
    time->tv_sec = now / SECOND_NS;
    time->tv_nsec = now % SECOND_NS;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    (void)zone;
    int64_t now = wall_ns();
    time->tv_sec = now / SECOND_NS;
    time->tv_usec = now % SECOND_NS / 1000;
    return 0;
}

time_t time(time_t *out)
{
    time_t now = wall_ns() / SECOND_NS;
    if (out)
        *out = now;
    return now;
}
