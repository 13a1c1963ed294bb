/* spawn_reference: one server process for each call, done as well as it can be done by hand.
 *
 * posix_spawn, pipes, initialize, one tools/call, end; N at a time from one poll loop. The figure
 * that a pool of persistent sessions is compared with. */
#define _GNU_SOURCE
#include "json_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_slots = 1024, read_size = 1 << 16, largest_line = 1 << 26, largest_request = 1 << 15 };

static const char usage[] =
    "Usage: spawn_reference [OPTION]... -- COMMAND [ARGUMENT]...\n"
    "Starts an MCP server for each tool call and prints what that costs as JSON.\n\n"
    "  --concurrency N     processes at a time, 1 to 1024 (default: 1)\n"
    "  --seconds S         for how long calls are started; those under way then are finished\n"
    "                      (default: 10)\n"
    "  --calls N           stop after N calls, failed ones included (default: no limit)\n"
    "  --tool NAME         tool to call (default: echo)\n"
    "  --arguments JSON    its arguments (default: {\"message\":\"hi\"})\n"
    "  --end close|kill    after the answer close the server's input and wait for its exit, or "
    "kill\n"
    "                      it at once, which is faster and ruder (default: close)\n"
    "  --timeout S         give a call up after this long (default: 60)\n"
    "  --help              print this and exit\n";

static const char initialize[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
    "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"spawn_reference\","
    "\"version\":\"1\"}}}\n";

enum stage { unused, initializing, calling, ending };

struct slot
{
    enum stage stage;
    pid_t pid;
    int pidfd, in, out; /* -1: closed */
    int64_t begin;
    char* data;
    size_t size, capacity;
};

static struct
{
    size_t concurrency, most_calls;
    int64_t duration, timeout;
    int kill;
    const char* tool;
    const char* arguments;
    char** command;
} configured = {1, 0, 10000000000, 60000000000, 0, "echo", "{\"message\":\"hi\"}", NULL};

static struct slot slots[most_slots];
static char request[largest_request];
static size_t request_size;
static double* times_ms;
static size_t calls, times_capacity, errors;
static size_t calls_in_time;
static int64_t last_completion;

extern char** environ;

static void fail(const char* what, int number)
{
    fprintf(stderr, "spawn_reference: %s: %s\n", what, strerror(number));
    exit(1);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void close_end(int* fd)
{
    if (*fd != -1) {
        close(*fd);
        *fd = -1;
    }
}

/* A request is smaller than an empty pipe, so a write never waits. */
static int send_line(const struct slot* s, const char* line, size_t size)
{
    return write(s->in, line, size) == (ssize_t)size;
}

static void start(struct slot* s)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        fail("pipe", errno);
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    s->begin = now();
    const int failure = posix_spawnp(
        &s->pid, configured.command[0], &actions, NULL, configured.command, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0) {
        fail(configured.command[0], failure);
    }
    close(in[0]);
    close(out[1]);
    s->in = in[1];
    s->out = out[0];
    s->size = 0;
    s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
    if (s->pidfd == -1) {
        fail("pidfd_open", errno);
    }
    s->stage = initializing;
    /* A server that is gone already shows as the end of its output. */
    send_line(s, initialize, sizeof initialize - 1);
}

static void end(struct slot* s)
{
    if (configured.kill) {
        kill(s->pid, SIGKILL);
    }
    close_end(&s->in);
    s->stage = ending;
}

static void give_up(struct slot* s, const char* why)
{
    if (errors++ == 0) {
        fprintf(stderr, "spawn_reference: first failure: %s\n", why);
    }
    kill(s->pid, SIGKILL);
    close_end(&s->in);
    s->stage = ending;
}

static void count_call(int64_t begin)
{
    last_completion = now();
    if (calls == times_capacity) {
        times_capacity = 2 * times_capacity + 1024;
        times_ms = realloc(times_ms, times_capacity * sizeof *times_ms);
        if (times_ms == NULL) {
            fail("memory", errno);
        }
    }
    times_ms[calls++] = (double)(last_completion - begin) / 1e6;
}

static void on_line(struct slot* s, const char* line, const char* line_end)
{
    static const char* const names[] = {"id", "result", "error"};
    struct json_slice found[3];
    json_members(line, line_end, names, found, 3);
    if (!json_is(found[0], s->stage == initializing ? "1" : "2")) {
        return; /* a notification, a request, or a line that is not for us */
    }
    if (found[1].begin == NULL) {
        give_up(s, "the server answered with an error");
    } else if (s->stage == calling) {
        count_call(s->begin);
        end(s);
    } else if (send_line(s, request, request_size)) {
        s->stage = calling;
    } else {
        give_up(s, "the server stopped reading");
    }
}

static void on_output(struct slot* s)
{
    if (s->capacity - s->size < read_size) {
        s->capacity = 2 * s->capacity + read_size;
        s->data = realloc(s->data, s->capacity);
        if (s->data == NULL) {
            fail("memory", errno);
        }
    }
    const ssize_t got = read(s->out, s->data + s->size, read_size);
    if (got < 0 && errno == EINTR) {
        return;
    }
    if (got <= 0) {
        close_end(&s->out);
        if (s->stage != ending) {
            give_up(s, "the server ended early");
        }
        return;
    }
    const char* line = s->data;
    const char* search = s->data + s->size; /* old bytes hold no line end */
    const char* const data_end = search + got;
    const char* line_end;
    while ((line_end = memchr(search, '\n', (size_t)(data_end - search))) != NULL) {
        if (s->stage != ending) {
            on_line(s, line, line_end);
        }
        line = search = line_end + 1;
    }
    s->size = (size_t)(data_end - line);
    memmove(s->data, line, s->size);
    if (s->size > largest_line) {
        fail("a line of the server", EMSGSIZE);
    }
}

static void reap(struct slot* s)
{
    if (waitpid(s->pid, NULL, 0) != s->pid) {
        fail("waitpid", errno);
    }
    if (s->stage != ending) {
        give_up(s, "the server exited");
    }
    close_end(&s->pidfd);
    close_end(&s->in);
    close_end(&s->out);
    s->stage = unused;
}

/* Until the first call under way is given up; with `deadline` not later than that. */
static int time_left(int64_t deadline)
{
    int64_t first = deadline;
    for (size_t i = 0; i < configured.concurrency; ++i) {
        const struct slot* s = &slots[i];
        if (s->stage != unused && s->begin + configured.timeout < first) {
            first = s->begin + configured.timeout;
        }
    }
    const int64_t left = first - now();
    return left <= 0 ? 0 : (int)(left / 1000000 + 1);
}

static size_t under_way(void)
{
    size_t count = 0;
    for (size_t i = 0; i < configured.concurrency; ++i) {
        count += slots[i].stage == initializing || slots[i].stage == calling;
    }
    return count;
}

/* Calls under way at the deadline are finished: to throw away what was paid for would make one process
 * per call look worse than it is. */
static void run(int64_t deadline)
{
    struct pollfd watched[2 * most_slots];
    for (;;) {
        const int starting = now() < deadline;
        if (starting) {
            calls_in_time = calls;
        }
        if (!starting && under_way() == 0) {
            return;
        }
        for (size_t i = 0; i < configured.concurrency; ++i) {
            struct slot* s = &slots[i];
            if (s->stage == unused && starting
                && (configured.most_calls == 0
                    || calls + errors + under_way() < configured.most_calls)) {
                start(s);
            }
            const int used = s->stage != unused;
            watched[2 * i] = (struct pollfd){.fd = used ? s->out : -1, .events = POLLIN};
            watched[2 * i + 1] = (struct pollfd){.fd = used ? s->pidfd : -1, .events = POLLIN};
        }
        if (configured.most_calls != 0 && calls + errors >= configured.most_calls
            && under_way() == 0) {
            return;
        }
        const int64_t latest = starting ? deadline : INT64_MAX;
        if (poll(watched, 2 * configured.concurrency, time_left(latest)) < 0 && errno != EINTR) {
            fail("poll", errno);
        }
        for (size_t i = 0; i < configured.concurrency; ++i) {
            struct slot* s = &slots[i];
            if (watched[2 * i].revents != 0) {
                on_output(s);
            } else if (watched[2 * i + 1].revents != 0) {
                reap(s); /* only when its output has been read to the end of what was there */
            } else if (s->stage != unused && now() - s->begin > configured.timeout) {
                if (s->stage == ending) {
                    kill(s->pid, SIGKILL); /* answered or given up before */
                } else {
                    give_up(s, "no answer in time");
                }
            }
        }
    }
}

static void kill_rest(void)
{
    for (size_t i = 0; i < configured.concurrency; ++i) {
        if (slots[i].stage != unused) {
            kill(slots[i].pid, SIGKILL);
            waitpid(slots[i].pid, NULL, 0);
        }
    }
}

static int by_size(const void* a, const void* b)
{
    const double x = *(const double*)a, y = *(const double*)b;
    return (x > y) - (x < y);
}

static double percentile(double share)
{
    return calls == 0 ? 0 : times_ms[(size_t)(share * (double)(calls - 1))];
}

static double cpu_seconds(int who)
{
    struct rusage used;
    getrusage(who, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
        + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static double number(const char* option, const char* text, double least, double most)
{
    char* rest;
    const double value = strtod(text, &rest);
    if (rest == text || *rest != '\0' || !(value >= least && value <= most)) {
        fprintf(stderr, "spawn_reference: --%s is a number from %g to %g, not '%s'\n", option,
            least, most, text);
        exit(2);
    }
    return value;
}

static void read_command_line(int argc, char** argv)
{
    static const struct option options[] = {{"concurrency", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 's'}, {"calls", required_argument, NULL, 'c'},
        {"tool", required_argument, NULL, 't'}, {"arguments", required_argument, NULL, 'a'},
        {"end", required_argument, NULL, 'e'}, {"timeout", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        switch (option) {
        case 'n':
            configured.concurrency = (size_t)number("concurrency", optarg, 1, most_slots);
            break;
        case 's':
            configured.duration = (int64_t)(number("seconds", optarg, 0.001, 86400) * 1e9);
            break;
        case 'c':
            configured.most_calls = (size_t)number("calls", optarg, 1, 1e9);
            break;
        case 't':
            configured.tool = optarg;
            break;
        case 'a':
            configured.arguments = optarg;
            break;
        case 'o':
            configured.timeout = (int64_t)(number("timeout", optarg, 0.001, 86400) * 1e9);
            break;
        case 'e':
            configured.kill = strcmp(optarg, "kill") == 0;
            if (configured.kill || strcmp(optarg, "close") == 0) {
                break;
            }
            fprintf(stderr, "spawn_reference: --end is close or kill, not '%s'\n", optarg);
            exit(2);
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    configured.command = argv + optind;
    const int size = snprintf(request, sizeof request,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":"
        "{\"name\":\"%s\",\"arguments\":%s}}\n",
        configured.tool, configured.arguments);
    request_size = (size_t)size;
    if (optind == argc || request_size >= sizeof request) {
        fputs(optind == argc ? usage : "spawn_reference: --arguments is too long\n", stderr);
        exit(2);
    }
}

int main(int argc, char** argv)
{
    read_command_line(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    const int64_t begin = now();
    run(begin + configured.duration);
    /* The better of two fair counts: the tail may be slower or faster than what was before it. */
    const double in_time = (double)calls_in_time / ((double)configured.duration / 1e9);
    const double seconds = (double)((calls == 0 ? now() : last_completion) - begin) / 1e9;
    const double all = (double)calls / seconds;
    kill_rest();
    if (calls != 0) {
        qsort(times_ms, calls, sizeof *times_ms, by_size);
    }
    printf("{\"mode\": \"spawn_reference\", \"concurrency\": %zu, \"end\": \"%s\", "
           "\"seconds\": %.3f, \"calls\": %zu, \"errors\": %zu, \"calls_per_second\": %.3f, "
           "\"call_ms\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}, "
           "\"cpu_seconds\": {\"self\": %.3f, \"children\": %.3f}}\n",
        configured.concurrency, configured.kill ? "kill" : "close", seconds, calls, errors,
        all > in_time ? all : in_time, percentile(0.5), percentile(0.9), percentile(0.99),
        percentile(1), cpu_seconds(RUSAGE_SELF), cpu_seconds(RUSAGE_CHILDREN));
    for (size_t i = 0; i < most_slots; ++i) {
        free(slots[i].data);
    }
    free(times_ms);
    return errors == 0 ? 0 : 1;
}
