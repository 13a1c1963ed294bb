/* The server processes of the transport's tests: what a child is given, and how it misbehaves. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static void write_all(int fd, const char* text, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(fd, text, size);
        if (written < 0)
            _exit(9);
        text += written;
        size -= (size_t)written;
    }
}

static void say(const char* line)
{
    write_all(1, line, strlen(line));
    write_all(1, "\n", 1);
}

static void say_number(const char* name, long value)
{
    char line[128];
    snprintf(line, sizeof line, "%s %ld", name, value);
    say(line);
}

/* Back to the sender until the end of input. */
static int echo(void)
{
    static char buffer[65536];
    ssize_t size;
    while ((size = read(0, buffer, sizeof buffer)) > 0)
        write_all(1, buffer, (size_t)size);
    return 0;
}

static _Noreturn void wait_forever(void)
{
    for (;;)
        pause();
}

static int ignore_everything(void)
{
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    say("ready");
    wait_forever();
}

static int compare(const void* left, const void* right)
{
    return *(const int*)left - *(const int*)right;
}

static void report_descriptors(void)
{
    int fds[1024];
    int count = 0;
    DIR* directory = opendir("/proc/self/fd");
    struct dirent* entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL && count < 1024) {
        const int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && fd != dirfd(directory))
            fds[count++] = fd;
    }
    closedir(directory);
    qsort(fds, (size_t)count, sizeof *fds, compare);
    char line[8192] = "descriptors";
    for (int i = 0; i < count; ++i)
        snprintf(line + strlen(line), sizeof line - strlen(line), " %d", fds[i]);
    say(line);
}

static void report_signals(void)
{
    long not_default = 0;
    for (int number = 1; number <= 64; ++number) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            ++not_default;
    }
    say_number("signals not default", not_default);

    long blocked = 0;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int number = 1; number <= 64; ++number)
        blocked += sigismember(&mask, number) == 1;
    say_number("signals blocked", blocked);
}

/* Facts about this process, one a line, then an echo. */
static int report(int argc, char** argv)
{
    int death_signal = 0;
    int badness = -1;
    struct rlimit core;
    char directory[PATH_MAX];

    say_number("session leader", getsid(0) == getpid());
    say_number("group leader", getpgrp() == getpid());
    prctl(PR_GET_PDEATHSIG, &death_signal);
    say_number("parent death signal", death_signal);
    FILE* file = fopen("/proc/self/oom_score_adj", "r");
    if (file == NULL || fscanf(file, "%d", &badness) != 1)
        badness = -1;
    if (file != NULL)
        fclose(file);
    say_number("badness", badness);
    getrlimit(RLIMIT_CORE, &core);
    say_number("core", (long)core.rlim_cur);
    report_signals();
    report_descriptors();
    if (getcwd(directory, sizeof directory) != NULL) {
        write_all(1, "directory ", 10);
        say(directory);
    }
    for (int i = 0; i < argc; ++i) {
        write_all(1, "argument ", 9);
        say(argv[i]);
    }
    for (char** variable = environ; *variable != NULL; ++variable) {
        write_all(1, "variable ", 9);
        say(*variable);
    }
    say("end of report");
    return echo();
}

/* Makes a process that holds the pipes and ignores everything, and tells its pid. */
static void leave_grandchild(int in_own_session)
{
    int told[2];
    if (pipe(told) != 0)
        _exit(8);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
        if (in_own_session)
            setsid();
        signal(SIGTERM, SIG_IGN);
        write_all(told[1], "x", 1);
        wait_forever();
    }
    char ready;
    if (read(told[0], &ready, 1) != 1)
        _exit(8);
    close(told[0]);
    close(told[1]);
    say_number("grandchild", grandchild);
}

static void flood(int fd, long bytes)
{
    static char block[65536];
    memset(block, 'x', sizeof block);
    for (; bytes > 0; bytes -= (long)sizeof block)
        write_all(fd, block, bytes < (long)sizeof block ? (size_t)bytes : sizeof block);
}

static int read_after_signal(void)
{
    sigset_t mask;
    int number;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    say("ready");
    sigwait(&mask, &number);
    return echo();
}

static int last_words(void)
{
    static char buffer[4096];
    say("ready");
    while (read(0, buffer, sizeof buffer) > 0) {
    }
    say("last line");
    write_all(2, "last words", 10);
    return 3;
}

static int burst(long lines)
{
    for (long i = 1; i <= lines; ++i)
        say_number("line", i);
    write_all(2, "last words", 10);
    return 3;
}

int main(int argc, char** argv)
{
    const char* mode = argc > 1 ? argv[1] : "echo";
    const long number = argc > 2 ? atol(argv[2]) : 0;

    if (strcmp(mode, "echo") == 0)
        return echo();
    if (strcmp(mode, "report") == 0)
        return report(argc, argv);
    if (strcmp(mode, "exit") == 0)
        return (int)number;
    if (strcmp(mode, "die") == 0)
        return raise((int)number);
    if (strcmp(mode, "stubborn") == 0)
        return ignore_everything();
    if (strcmp(mode, "ignore_input") == 0) {
        say("ready");
        wait_forever();
    }
    if (strcmp(mode, "burst") == 0)
        return burst(number);
    if (strcmp(mode, "last_words") == 0)
        return last_words();
    if (strcmp(mode, "read_after_signal") == 0)
        return read_after_signal();
    if (strcmp(mode, "close_input") == 0) {
        close(0);
        say("ready");
        wait_forever();
    }
    if (strcmp(mode, "close_output") == 0) {
        say("ready");
        close(1);
        close(2);
        wait_forever();
    }
    if (strcmp(mode, "stop_itself") == 0) {
        say("ready");
        raise(SIGSTOP);
        wait_forever();
    }
    if (strcmp(mode, "grandchild") == 0) {
        leave_grandchild(0);
        return echo();
    }
    if (strcmp(mode, "grandchild_exit") == 0) {
        leave_grandchild(0);
        return (int)number;
    }
    if (strcmp(mode, "escaped_grandchild") == 0) {
        leave_grandchild(1);
        return echo();
    }
    if (strcmp(mode, "stubborn_family") == 0) {
        leave_grandchild(0);
        leave_grandchild(1);
        return ignore_everything();
    }
    if (strcmp(mode, "flood_stderr") == 0) {
        flood(2, number);
        write_all(2, "THE END", 7);
        say("flooded");
        return echo();
    }
    if (strcmp(mode, "stderr_lines") == 0) {
        for (long i = 0; i < number; ++i)
            write_all(2, "line\n", 5);
        return echo();
    }
    if (strcmp(mode, "one_line") == 0) {
        flood(1, number);
        say("");
        say("after");
        return echo();
    }
    if (strcmp(mode, "write_pid") == 0) {
        write_all(2, "to stderr\n", 10);
        say_number("pid", getpid());
        return echo();
    }
    fprintf(stderr, "unknown mode %s\n", mode);
    return 2;
}
