/* pingpong: the round trip of a line through two pipes and a child process that sends it back.
 *
 * What no client of a child process can beat; the figure for a call through the library is quoted
 * as a multiple of it. Both ends block in read(2) and do nothing else. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_bytes = 4096 }; /* up to here a pipe takes a line in one piece */

static const char usage[] =
    "Usage: pingpong [OPTION]...\n"
    "Sends lines to a child process that sends them back, and prints the round trips as JSON.\n\n"
    "  --count N    round trips to measure (default: 20000; a tenth more come before, unmeasured)\n"
    "  --bytes N    bytes of a line, its end included: 1 to 4096 (default: 120)\n"
    "  --cpu N      run both processes on this CPU (default: wherever the system likes)\n"
    "  --help       print this and exit\n";

static void fail(const char* what)
{
    fprintf(stderr, "pingpong: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long number(const char* option, const char* text, long least, long most)
{
    char* end;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || end == text || value < least || value > most) {
        fprintf(stderr, "pingpong: --%s is a number from %ld to %ld, not '%s'\n", option, least,
            most, text);
        exit(2);
    }
    return value;
}

/* Reads or writes all of it; returns 0 at the end of file. */
static int transfer_in(int fd, char* data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t got = read(fd, data + done, size - done);
        if (got == 0) {
            return 0;
        }
        if (got > 0) {
            done += (size_t)got;
        } else if (errno != EINTR) {
            fail("read");
        }
    }
    return 1;
}

static void transfer_out(int fd, const char* data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t put = write(fd, data + done, size - done);
        if (put >= 0) {
            done += (size_t)put;
        } else if (errno != EINTR) {
            fail("write");
        }
    }
}

static void echo(int in, int out, size_t bytes)
{
    char line[most_bytes];
    while (transfer_in(in, line, bytes)) {
        transfer_out(out, line, bytes);
    }
}

static int64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_size(const void* a, const void* b)
{
    const int64_t x = *(const int64_t*)a, y = *(const int64_t*)b;
    return (x > y) - (x < y);
}

int main(int argc, char** argv)
{
    static const struct option options[] = {{"count", required_argument, NULL, 'n'},
        {"bytes", required_argument, NULL, 'b'}, {"cpu", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    size_t count = 20000, bytes = 120;
    long cpu = -1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'n':
            count = (size_t)number("count", optarg, 1, 100000000);
            break;
        case 'b':
            bytes = (size_t)number("bytes", optarg, 1, most_bytes);
            break;
        case 'c':
            cpu = number("cpu", optarg, 0, CPU_SETSIZE - 1);
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set) != 0) {
            fail("--cpu");
        }
    }
    int there[2], back[2];
    if (pipe2(there, O_CLOEXEC) != 0 || pipe2(back, O_CLOEXEC) != 0) {
        fail("pipe");
    }
    const pid_t child = fork();
    if (child == -1) {
        fail("fork");
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(there[1]);
        close(back[0]);
        echo(there[0], back[1], bytes);
        _exit(0);
    }
    close(there[0]);
    close(back[1]);

    int64_t* const times = malloc(count * sizeof *times);
    if (times == NULL) {
        fail("memory");
    }
    memset(times, 0, count * sizeof *times); /* no page fault while the clock runs */
    char line[most_bytes];
    memset(line, 'x', bytes);
    line[bytes - 1] = '\n';
    int64_t cpu_begin = 0;
    for (size_t i = 0, unmeasured = count / 10; i < count + unmeasured; ++i) {
        if (i == unmeasured) {
            cpu_begin = now(CLOCK_PROCESS_CPUTIME_ID);
        }
        const int64_t begin = now(CLOCK_MONOTONIC);
        transfer_out(there[1], line, bytes);
        if (!transfer_in(back[0], line, bytes)) {
            errno = EPIPE;
            fail("child");
        }
        if (i >= unmeasured) {
            times[i - unmeasured] = now(CLOCK_MONOTONIC) - begin;
        }
    }
    const int64_t cpu_time = now(CLOCK_PROCESS_CPUTIME_ID) - cpu_begin;
    close(there[1]);
    waitpid(child, NULL, 0);

    qsort(times, count, sizeof *times, by_size);
    printf("{\"bytes\": %zu, \"count\": %zu, \"pinned\": %s, \"min_ns\": %lld, \"p50_ns\": %lld, "
           "\"p99_ns\": %lld, \"max_ns\": %lld, \"cpu_ns_per_round\": %lld}\n",
        bytes, count, cpu >= 0 ? "true" : "false", (long long)times[0], (long long)times[count / 2],
        (long long)times[count - 1 - count / 100], (long long)times[count - 1],
        (long long)(cpu_time / (int64_t)count));
    free(times);
    return 0;
}
