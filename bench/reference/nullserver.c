/* nullserver: the cheapest correct MCP server, the floor below every figure for a call.
 *
 * Answers each request with a canned result that holds in both protocol eras, under the request's
 * own id; reads and writes block. Ends when its input ends. */
#define _GNU_SOURCE
#include "json_scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { read_size = 1 << 16, largest_line = 1 << 26, longest_id = 1 << 10 };

static const struct
{
    const char* method; /* as JSON text; NULL: any other */
    const char* answer; /* what follows the id */
} canned[] = {
    {"\"tools/call\"",
        ",\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\","
        "\"text\":\"ok\"}]}}\n"},
    {"\"ping\"", ",\"result\":{}}\n"},
    {"\"initialize\"",
        ",\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},"
        "\"serverInfo\":{\"name\":\"nullserver\",\"version\":\"1\"}}}\n"},
    {"\"server/discover\"",
        ",\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
        "\"capabilities\":{\"tools\":{}},\"ttlMs\":3600000,\"cacheScope\":\"public\"}}\n"},
    {"\"tools/list\"",
        ",\"result\":{\"resultType\":\"complete\",\"tools\":[{\"name\":\"null\","
        "\"inputSchema\":{\"type\":\"object\"}}],\"ttlMs\":3600000,\"cacheScope\":\"public\"}}\n"},
    {NULL, ",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}\n"},
};

struct buffer
{
    char* data;
    size_t size, capacity;
};

static void fail(const char* what)
{
    fprintf(stderr, "nullserver: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void reserve(struct buffer* b, size_t more)
{
    if (b->capacity - b->size >= more) {
        return;
    }
    b->capacity = 2 * b->capacity + more;
    b->data = realloc(b->data, b->capacity);
    if (b->data == NULL) {
        fail("memory");
    }
}

static void append(struct buffer* b, const char* text, size_t size)
{
    memcpy(b->data + b->size, text, size);
    b->size += size;
}

static void answer(struct buffer* out, const char* line, const char* end)
{
    static const char* const names[] = {"method", "id"};
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":";
    struct json_slice found[2];
    json_members(line, end, names, found, 2);
    if (found[0].begin == NULL || found[1].begin == NULL || found[1].size > longest_id) {
        return; /* a notification, an answer, or nothing that we know */
    }
    size_t i = 0;
    while (canned[i].method != NULL && !json_is(found[0], canned[i].method)) {
        ++i;
    }
    const size_t size = strlen(canned[i].answer);
    reserve(out, sizeof head + found[1].size + size);
    append(out, head, sizeof head - 1);
    append(out, found[1].begin, found[1].size);
    append(out, canned[i].answer, size);
}

static void write_all(struct buffer* out)
{
    size_t done = 0;
    while (done < out->size) {
        const ssize_t put = write(STDOUT_FILENO, out->data + done, out->size - done);
        if (put >= 0) {
            done += (size_t)put;
        } else if (errno != EINTR) {
            fail("standard output");
        }
    }
    out->size = 0;
}

int main(int argc, char** argv)
{
    struct buffer in = {NULL, 0, 0}, out = {NULL, 0, 0};
    if (argc > 1) {
        fputs("Usage: nullserver\nA do-nothing MCP server over standard input and output.\n",
            strcmp(argv[1], "--help") == 0 ? stdout : stderr);
        return strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    for (;;) {
        reserve(&in, read_size);
        const ssize_t got = read(STDIN_FILENO, in.data + in.size, read_size);
        if (got == 0) {
            return 0;
        }
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            fail("standard input");
        }
        const char* line = in.data;
        const char* search = in.data + in.size; /* old bytes hold no line end */
        in.size += (size_t)got;
        const char* const end = in.data + in.size;
        const char* line_end;
        while ((line_end = memchr(search, '\n', (size_t)(end - search))) != NULL) {
            answer(&out, line, line_end);
            line = search = line_end + 1;
        }
        in.size = (size_t)(end - line);
        memmove(in.data, line, in.size);
        if (in.size > largest_line) {
            errno = EMSGSIZE;
            fail("a line of input");
        }
        write_all(&out);
    }
}
