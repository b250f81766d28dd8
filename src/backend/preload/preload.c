/* What redrill has loaded into a server before libc (LD_PRELOAD): a clock that can be set off,
 * and a disk that can be full or slow. Used only where a scenario asks for it.
 *
 * It needs nothing of any libc but `environ` and errno, so that one build is loaded by glibc and
 * by musl; and it allocates nothing and looks nothing up, because allocators ask for the time
 * before they can serve anybody.
 *
 * What it does stands in a small file that redrill replaces (see `Control` in mod.rs). It is read
 * anew whenever it was last read 10 ms ago or longer: a file can be put into a container anywhere,
 * memory cannot be shared with one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#define SEEN __attribute__((visibility("default")))
#define MAGIC 0x314c4c4952444552ull /* REDRILL1 */
#define SECOND 1000000000ll
#define LOOK_AGAIN (10 * 1000000ll)
#define SLICE (10 * 1000000ull)
#define NAME 64

/* As it stands in the file, in the machine's own byte order. */
struct control {
    uint64_t magic;
    int64_t jump;      /* nanoseconds that the clock is ahead */
    int64_t drift;     /* millionths by which it is too fast */
    int64_t drift_age; /* nanoseconds for which it had drifted when the file was written */
    uint64_t fsync;    /* nanoseconds that an fsync takes longer */
    uint64_t write;    /* and a write */
    uint64_t full;     /* writes fail */
    char full_files[NAME]; /* paths that hold this; all regular files if it is empty */
    char slow_files[NAME];
    uint64_t end;      /* the same as magic: a file that is half there is none */
};

struct state {
    struct control control;
    int64_t drift_since; /* true time */
};

/* Two, so that the one that is read is not the one that is written. */
static struct state states[2];
static int current;
static int64_t looked;
static int looking;
static const char *path;

extern char **environ;
extern int *__errno_location(void);

#if defined(__x86_64__)
static long call(long n, long a, long b, long c, long d) {
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static long call(long n, long a, long b, long c, long d) {
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
#else
#error "no system calls for this processor"
#endif

static long answer(long result) {
    if (result < 0 && result > -4096) {
        *__errno_location() = (int)-result;
        return -1;
    }
    return result;
}

static int64_t true_time(int clock) {
    struct timespec now = {0, 0};
    call(SYS_clock_gettime, clock, (long)&now, 0, 0);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static const char *named_by(const char *entry, const char *name) {
    while (*name && *entry == *name) entry++, name++;
    return *name ? 0 : entry;
}

static const char *setting(const char *name) {
    for (char **entry = environ; entry && *entry; entry++) {
        const char *value = named_by(*entry, name);
        if (value) return value;
    }
    return 0;
}

static void read_control(void) {
    if (!path) path = setting("REDRILL_CONTROL=");
    if (!path) return;
    int fd = (int)call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0);
    /* Not there while it is being replaced: what was said before holds. */
    if (fd < 0) return;
    int next = !__atomic_load_n(&current, __ATOMIC_RELAXED);
    struct state *state = &states[next];
    struct stat about;
    long length = call(SYS_read, fd, (long)&state->control, sizeof state->control, 0);
    long known = call(SYS_fstat, fd, (long)&about, 0, 0);
    call(SYS_close, fd, 0, 0, 0);
    struct control *control = &state->control;
    if (length != sizeof *control || control->magic != MAGIC || control->end != MAGIC || known)
        return;
    /* The file's own time is of this machine's clock, and a server that is started again goes
     * on from where it was. */
    state->drift_since =
        about.st_ctim.tv_sec * SECOND + about.st_ctim.tv_nsec - control->drift_age;
    __atomic_store_n(&current, next, __ATOMIC_RELEASE);
}

/* What holds at the true time `now`. */
static const struct state *look(int64_t now) {
    int64_t since = now - __atomic_load_n(&looked, __ATOMIC_RELAXED);
    if ((since >= LOOK_AGAIN || since < 0) && !__atomic_exchange_n(&looking, 1, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&looked, now, __ATOMIC_RELAXED);
        read_control();
        __atomic_store_n(&looking, 0, __ATOMIC_RELEASE);
    }
    return &states[__atomic_load_n(&current, __ATOMIC_ACQUIRE)];
}

static int64_t told_time(int clock) {
    int64_t now = true_time(clock);
    const struct state *state = look(now);
    int64_t told = now + state->control.jump;
    if (state->control.drift) told += (now - state->drift_since) / 1000 * state->control.drift / 1000;
    return told;
}

SEEN int clock_gettime(clockid_t clock, struct timespec *into) {
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
        return (int)answer(call(SYS_clock_gettime, clock, (long)into, 0, 0));
    int64_t told = told_time(clock);
    into->tv_sec = told / SECOND;
    into->tv_nsec = told % SECOND;
    return 0;
}

SEEN int gettimeofday(struct timeval *restrict into, void *restrict zone) {
    if (zone) answer(call(SYS_gettimeofday, 0, (long)zone, 0, 0));
    if (!into) return 0;
    int64_t told = told_time(CLOCK_REALTIME);
    into->tv_sec = told / SECOND;
    into->tv_usec = told % SECOND / 1000;
    return 0;
}

SEEN time_t time(time_t *into) {
    time_t told = told_time(CLOCK_REALTIME) / SECOND;
    if (into) *into = told;
    return told;
}

static int holds(const char *text, const char *part) {
    for (; *text; text++)
        if (named_by(text, part)) return 1;
    return 0;
}

/* Whether `fd` is a file on disk, and one of `files`. */
static int is_of(int fd, const char *files) {
    struct stat about;
    if (call(SYS_fstat, fd, (long)&about, 0, 0) || (about.st_mode & S_IFMT) != S_IFREG) return 0;
    if (!*files) return 1;
    char link[40] = "/proc/self/fd/", digits[12], target[4096];
    int at = 14, count = 0;
    do digits[count++] = '0' + fd % 10; while (fd /= 10);
    while (count) link[at++] = digits[--count];
    link[at] = 0;
    long length = call(SYS_readlinkat, AT_FDCWD, (long)link, (long)target, sizeof target - 1);
    if (length < 0) return 0;
    target[length] = 0;
    return holds(target, files);
}

enum what { WRITE, FSYNC };

static uint64_t delay(const struct state *state, enum what what) {
    return what == WRITE ? state->control.write : state->control.fsync;
}

/* Takes the time that a slow disk would; true if the disk is full. */
static int is_full(int fd, enum what what) {
    const struct state *state = look(true_time(CLOCK_REALTIME));
    if (delay(state, what) && is_of(fd, state->control.slow_files)) {
        /* In slices: once the disk is quick again, nobody waits on. */
        for (uint64_t slept = 0; slept < delay(state, what);) {
            uint64_t left = delay(state, what) - slept, slice = left < SLICE ? left : SLICE;
            struct timespec rest = {0, (long)slice};
            call(SYS_nanosleep, (long)&rest, 0, 0, 0);
            slept += slice;
            state = look(true_time(CLOCK_REALTIME));
        }
    }
    if (!state->control.full) return 0;
    /* What stdio writes goes past here: such files are found to be too large when they are
     * synced. One that is written here has been told by then. */
    if (what == FSYNC && *state->control.full_files) return 0;
    return is_of(fd, state->control.full_files);
}

static long full(void) { return answer(-ENOSPC); }

SEEN ssize_t write(int fd, const void *from, size_t count) {
    if (is_full(fd, WRITE)) return full();
    return answer(call(SYS_write, fd, (long)from, (long)count, 0));
}

SEEN ssize_t writev(int fd, const struct iovec *from, int count) {
    if (is_full(fd, WRITE)) return full();
    return answer(call(SYS_writev, fd, (long)from, count, 0));
}

SEEN ssize_t pwrite(int fd, const void *from, size_t count, off_t at) {
    if (is_full(fd, WRITE)) return full();
    return answer(call(SYS_pwrite64, fd, (long)from, (long)count, at));
}

SEEN ssize_t pwrite64(int fd, const void *from, size_t count, off_t at) {
    return pwrite(fd, from, count, at);
}

SEEN int fsync(int fd) {
    if (is_full(fd, FSYNC)) return (int)full();
    return (int)answer(call(SYS_fsync, fd, 0, 0, 0));
}

SEEN int fdatasync(int fd) {
    if (is_full(fd, FSYNC)) return (int)full();
    return (int)answer(call(SYS_fdatasync, fd, 0, 0, 0));
}

/* Who asks whether it is loaded hears it: at the end, so that of a script that is replaced by
 * the server, the server says it. */
__attribute__((destructor)) static void hello(void) {
    static const char word[] = "redrill-preload\n";
    if (setting("REDRILL_PRELOAD_HELLO=")) call(SYS_write, 1, (long)word, sizeof word - 1, 0);
}
