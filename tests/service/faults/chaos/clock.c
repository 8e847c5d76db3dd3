/* A wall clock that is ahead of the true one by the seconds in a file, for a process that preloads this.

   The monotonic clock and every sleep are left alone; libfaketime breaks the absolute sleeps of Python 3.11.
   The kernel waits by the true clock, so a wait until a time of the wall clock is told in true time: otherwise
   libraries that wait so spin, while the clock is behind, as no machine whose clock was stepped makes them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static const volatile long long *ahead_seconds;
static int (*true_clock)(clockid_t, struct timespec *);
static int (*true_wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static const time_t earliest_wall_time = 1000000000; /* in 2001; a monotonic clock begins with the machine */

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("CHAOS_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof(long long), PROT_READ, MAP_SHARED, file, 0);
    true_clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    true_wait = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlvsym(
        RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!true_wait)
        true_wait = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(
            RTLD_NEXT, "pthread_cond_timedwait");
    if (mapped != MAP_FAILED)
        ahead_seconds = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result;
    if (!true_clock)
        begin();
    result = true_clock(clock, now);
    if (result == 0 && ahead_seconds && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *ahead_seconds;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *also)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (also)
        *also = precise.tv_sec;
    return precise.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    struct timespec in_true_time = *until;
    if (!true_wait)
        begin();
    if (ahead_seconds && until->tv_sec > earliest_wall_time)
        in_true_time.tv_sec -= *ahead_seconds;
    return true_wait(condition, mutex, &in_true_time);
}
